"""Pages for people without an account, who come by a link to one record (X6)."""
