"""Servers to compare with: a bare one that does next to nothing, and a naive one as often written.

They have no sign-in, seals, merge, idempotency or audit, so the bare one is a ceiling.
"""
