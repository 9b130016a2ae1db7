"""The engine for records: push, pull, merge, feed. Has never heard of a visit; knows no Flask."""
