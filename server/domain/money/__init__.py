"""Receipts: expense documents of reps."""
