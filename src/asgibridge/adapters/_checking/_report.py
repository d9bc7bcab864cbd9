"""What checking an application has shown."""

from typing import Any, final

import attrs

from .._validation import Violation

__all__ = ("CheckOutcome", "CheckReport")


@final
@attrs.frozen
class CheckOutcome:
    """What one conversation has shown.

    Args:
        name: The conversation.
        text: What happened in it.
        violations: The rules that were broken, in order.
        excused: Those that the framework breaks for all who use it.
        raised: What the application raised, which may be its right; or None.
        is_cut: Whether it was ended because it took too long.
        seconds: How long it took, in seconds.
    """

    name: str
    text: str
    violations: tuple[Violation, ...] = ()
    raised: str | None = None
    excused: tuple[Violation, ...] = ()
    is_cut: bool = False
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON has it."""
        return {
            "name": self.name,
            "text": self.text,
            "violations": [violation.as_dict() for violation in self.violations],
            "excused": [violation.as_dict() for violation in self.excused],
            "raised": self.raised,
            "timed_out": self.is_cut,
            "seconds": round(self.seconds, 6),
        }


@final
@attrs.frozen
class CheckReport:
    """What checking one application has shown, conversation by conversation.

    Args:
        target: What the application is called.
        outcomes: All conversations.
    """

    target: str
    outcomes: tuple[CheckOutcome, ...]

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All rules that were broken."""
        return tuple(
            violation for outcome in self.outcomes for violation in outcome.violations
        )

    @property
    def is_clean(self) -> bool:
        """Whether no rule was broken."""
        return not self.violations

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "target": self.target,
            "ok": self.is_clean,
            "violations": len(self.violations),
            "conversations": [outcome.as_dict() for outcome in self.outcomes],
        }
