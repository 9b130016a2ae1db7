"""Customers: who is visited, who owns the file, where it belongs."""
