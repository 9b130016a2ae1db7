"""What keeps a store safe: backup, restore, replay, verify. Knows no web framework."""
