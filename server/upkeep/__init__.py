"""What keeps a store safe from outside: backup, restore, journal, verify. Knows no web framework."""
