"""Both libraries by name."""

from tests.oracle._asgiref import Asgiref
from tests.oracle._model import Options, Subject
from tests.oracle._ours import OurSubject, make_bridge

__all__ = ("subject_named",)


def subject_named(name: str) -> Subject:
    """Return ``asgiref`` or ``asgibridge``, as a program has them: never closed."""
    if name == "asgiref":
        return Asgiref()
    return OurSubject(make_bridge(Options()))
