"""Starting clean in a forked child."""

import os
import weakref
from typing import Protocol

__all__ = ("Forgetful", "forget_after_fork")


class Forgetful(Protocol):
    """Something that owns threads, which a forked child does not have."""

    def forget(self) -> None:
        """Become as new: threads, locks and queues are the parent's."""
        ...


def forget_after_fork(thing: Forgetful) -> None:
    """Have ``thing.forget()`` called in every forked child, while it lives."""
    if not hasattr(os, "register_at_fork"):
        return  # a system without fork
    reference = weakref.WeakMethod(thing.forget)

    def in_child() -> None:
        if (forget := reference()) is not None:
            forget()

    os.register_at_fork(after_in_child=in_child)
