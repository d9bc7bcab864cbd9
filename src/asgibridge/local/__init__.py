"""Attributes that follow the code: a `threading.local` for threads and tasks."""

from ._declared import DeclaredLocal as DeclaredLocal
from ._inherited import note_thread as note_thread
from ._local import Local as Local, ThreadCriticalLocal as ThreadCriticalLocal
from ._stores import ThreadBound as ThreadBound

__all__ = (
    "DeclaredLocal",
    "Local",
    "ThreadBound",
    "ThreadCriticalLocal",
    "note_thread",
)
