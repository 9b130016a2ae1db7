"""What no device holds, kept outside the database. Knows tables by name only, and no rule."""
