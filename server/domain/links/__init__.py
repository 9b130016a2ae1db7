"""Links for people without an account: one record, one purpose, a term (X6)."""
