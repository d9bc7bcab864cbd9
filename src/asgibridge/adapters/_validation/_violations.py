"""One breach of a rule."""

from typing import Any, Final, Literal, final

import attrs

from ._rules import Rule

__all__ = ("Side", "Violation")

Side = Literal["application", "server"]
"""Who broke the rule: who calls `send()`, or who calls the application."""

_ASGIREF: Final = (
    "https://github.com/django/asgiref/blob/a7cc976fe8a2395307834bc4aebb462b9f379d55"
)


def _link(source: str) -> str:
    """Return the address of ``file:first-last``, or of ``asgiref#number``."""
    if source.startswith("asgiref#"):
        return f"https://github.com/django/asgiref/pull/{source[8:]}"
    path, _, lines = source.partition(":")
    return f"{_ASGIREF}/{path}#L{lines.replace('-', '-L')}"


@final
@attrs.frozen
class Violation:
    """One breach of a rule, as found in a conversation.

    Args:
        rule: The rule that was broken.
        side: Who broke it.
        protocol: ``http``, ``websocket``, ``lifespan`` or another scope type.
        found: What was sent, or what was left out.
        expected: What would be right at this point.
    """

    rule: Rule
    side: Side
    protocol: str
    found: str
    expected: str

    @property
    def source(self) -> str:
        """The address of the text the rule is from."""
        return _link(self.rule.source)

    def __str__(self) -> str:
        """Return who did what, what would be right, and where that is written."""
        return (
            f"{self.side} fault in {self.protocol}: {self.found}; "
            f"{self.expected} [{self.rule.name}, {self.source}]"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the violation as JSON has it."""
        return {
            "rule": self.rule.name,
            "side": self.side,
            "protocol": self.protocol,
            "found": self.found,
            "expected": self.expected,
            "source": self.source,
        }
