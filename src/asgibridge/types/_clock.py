"""Time as a collaborator."""

from typing import Protocol

__all__ = ("Clock",)


class Clock(Protocol):
    """Tells the time to code that measures intervals.

    Callers may rely on it never going backwards.  They may not rely on its
    zero: only differences have a meaning.  ``time.monotonic`` is one.
    """

    def __call__(self) -> float:
        """Return the current time, in seconds."""
        ...
