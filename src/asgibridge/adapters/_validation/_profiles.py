"""How strictly ASGI is taken."""

from enum import IntEnum

__all__ = ("Profile",)


class Profile(IntEnum):
    """How strictly ASGI is taken; each one finds all that the one before finds.

    `PRACTICE` tolerates what all the common servers tolerate, and what they do
    themselves against the text.  `SPEC` is the text: what it states and what it
    says "must" about.  `STRICT` adds what it says "should" about, and values
    the text neither allows nor forbids.
    """

    PRACTICE = 1
    SPEC = 2
    STRICT = 3
