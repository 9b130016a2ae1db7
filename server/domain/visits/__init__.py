"""Visits and their reports."""
