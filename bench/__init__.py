"""The published benchmark: workloads, baselines and report. Nothing here is shipped.

Every system answers over HTTP on the loopback, with two server processes and eight clients, each
with a device of its own. Bodies are built before the clock starts, answers are read after it stops.
Only ratios between systems of one run compare; figures of two machines do not.
"""
