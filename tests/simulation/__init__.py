"""A company under faults, replayed from one seed: real client, server and SQLite, one thread.

``python -m tests.simulation --steps N --seeds a..b`` sweeps; a failing seed is shrunk and told with
the command that replays it.
"""
