"""Fieldstamp server: sync, evidence and casework. An application; nothing outside imports it."""

__version__ = "0.1.0"
