"""The pure core: what a plan, a record, a check and a verdict are. Standard library and NumPy only.

Nothing here logs, reads a clock, opens a session or knows that a GPU exists.
"""
