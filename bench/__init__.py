"""Measurements.  Each module can be run: ``python -m bench.local``."""
