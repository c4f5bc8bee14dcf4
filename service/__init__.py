"""Lockstep's service: compares a reference and a candidate, judges, records and serves the verdict.

Importing this package needs neither a GPU nor CuPy and creates nothing. Open `pipeline.py` first.
"""
