"""Market cases: cross-region sales."""
