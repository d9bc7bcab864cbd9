"""Benchmarks: asgibridge beside asgiref, anyio, trio and the standard library.

Run ``python -m bench`` in a checkout, after ``pip install -e '.[bench]'``.  All
contenders of a scenario take part in one process, in short rounds that are
interleaved in random order, and what is compared is the median of the ratios
within each round: what slows the machine for a second slows all of them.

Figures mean little without the CPU mode.  ``--cpus pin`` keeps the process on
one CPU and shows pure overhead; ``--cpus split`` puts the main thread on one CPU
and all others on another, so that every hand-off is a wake-up across CPUs.
"""
