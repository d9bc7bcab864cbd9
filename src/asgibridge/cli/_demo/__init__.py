"""``asgibridge demo``: two applications, one bridge, real HTTP, and a report.

The applications mark which thread and loop each of their parts runs on; the
client checks the answers and those places; the report shows them.
"""

from ._command import demo as demo

__all__ = ("demo",)
