"""Following one conversation between a server and an application."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, cast, final

import attrs

from ._courses import Course
from ._events import examine_event, examine_type
from ._kinds import Finding
from ._machines import VARIANT_KEYS
from ._offers import Offer
from ._profiles import Profile
from ._quick import PLAIN_EVENTS
from ._refusals import why
from ._rules import RULES
from ._shapes import EVENTS
from ._show import class_name, show
from ._violations import Side, Violation

__all__ = ("Conversation", "Violations", "guarded", "violations_of")

Direction = Literal["send", "receive"]
Violations = tuple[Violation, ...]

_SIDES: Final[Mapping[Direction, Side]] = {"send": "application", "receive": "server"}
_OSERROR_SINCE: Final = (2, 4)
# One rule that is told as "instead of", for events that come at a wrong moment.
_GATE: Final = "ext.gate"
_UNREADABLE: Final = frozenset({"event.is_dict", "value.hostile"})


def guarded(examine: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return the findings of *examine*, also for objects that refuse to be read."""
    findings: list[Finding] = []
    try:
        findings.extend(examine())
    except Exception as exc:  # noqa: BLE001 - a foreign object's method may raise anything
        findings.append(("value.hostile", f"raises {class_name(exc)} when read"))
    return findings


@final
@attrs.define(eq=False)
class Conversation:
    """Follows one conversation and says what is wrong with each step.

    It is told about steps by whoever sees them, waits for nothing, and may be
    used on any one thread at a time.  `open_conversation` makes one.

    Args:
        protocol: The type of the scope.
        profile: How strictly it is taken.
        offer: What the server offered in the scope.
        course: Which events may come when; None for protocols not known.
        sending: The state of what the application sends.
        receiving: The state of what it receives.
    """

    protocol: str
    profile: Profile
    offer: Offer
    _course: Course | None
    sending: str
    receiving: str
    is_closed: bool = attrs.field(default=False, init=False)
    _is_disordered: bool = attrs.field(default=False, init=False)

    def sent(self, event: object) -> Violations:
        """Take an event from the application; it is not kept, nor changed.

        Returns:
            What is wrong with it; empty if it is right.
        """
        content = cast("dict[str, Any]", event)
        if type(event) is not dict:
            return self._examine(content, "send")
        try:
            # Nearly all events come through here; what is unusual ends in a
            # KeyError, or says None, which no table has.
            plain = PLAIN_EVENTS[self.protocol, "send"][content["type"]]
            course = cast("Course", self._course)
            symbol = cast("str", plain(content, self.offer))
            target = course.send_table[self.sending][symbol]
        except Exception:  # noqa: BLE001 - a foreign object's method may raise anything
            return self._examine(content, "send")
        self._moved("send", course, target)
        return ()

    def received(self, event: object) -> Violations:
        """Take an event that the server gave to the application.

        Returns:
            What is wrong with it; empty if it is right.
        """
        content = cast("dict[str, Any]", event)
        if type(event) is not dict:
            return self._examine(content, "receive")
        try:
            plain = PLAIN_EVENTS[self.protocol, "receive"][content["type"]]
            course = cast("Course", self._course)
            symbol = cast("str", plain(content, self.offer))
            target = course.receive_table[self.receiving][symbol]
        except Exception:  # noqa: BLE001 - as above
            return self._examine(content, "receive")
        self._moved("receive", course, target)
        return ()

    def send_failed(self, exception: BaseException) -> None:
        """Learn that the server's `send()` raised: after OSError all is over."""
        if isinstance(exception, OSError):
            self.is_closed = True

    def send_returned(self) -> Violations:
        """Learn that the server's `send()` returned though the connection is closed.

        Returns:
            What is wrong with that.
        """
        known = self.protocol in ("http", "websocket")
        if known and self.offer.spec_version >= _OSERROR_SINCE:
            found = "send() returned although the application was told of the end"
            return self._violations("server", [("send.after_close.www", found)])
        return ()

    def returned(self) -> Violations:
        """Learn that the application has returned.

        Returns:
            What it left undone; nothing, if the connection is closed, or if
            that follows from violations that have been returned before.
        """
        if self._course is None or self.is_closed or self._is_disordered:
            return ()
        rule = self._course.unfinished.get(self.sending)
        if rule is None:
            return ()
        found = f"the application returned in the state {self.sending}"
        return self._violations("application", [(rule, found)])

    def raised(self) -> None:
        """Learn that the application has raised, which is its right."""
        if self._course is not None:
            outgoing = self._course.send_table[self.sending]
            self._moved("send", self._course, outgoing.get("raise", self.sending))

    def _examine(self, event: object, direction: Direction) -> Violations:
        findings = guarded(lambda: examine_type(event))
        if _UNREADABLE.isdisjoint(rule for rule, _ in findings):
            findings += guarded(lambda: self._examined(event, direction))
        if not findings:
            return ()
        return self._violations(_SIDES[direction], self._named(event, findings))

    def _examined(self, event: object, direction: Direction) -> Iterator[Finding]:
        content = cast("Mapping[str, Any]", event)
        findings = list(examine_event(content, direction, self.protocol, self.offer))
        yield from findings
        shape = EVENTS.get(content["type"])
        if (
            self._course is not None
            and shape is not None
            and (shape.protocol, shape.direction) == (self.protocol, direction)
        ):
            gated = any(rule == _GATE for rule, _ in findings)
            yield from self._ordered(self._course, content, direction, gated=gated)

    def _ordered(
        self,
        course: Course,
        event: Mapping[str, Any],
        direction: Direction,
        *,
        gated: bool,
    ) -> Iterator[Finding]:
        kind: str = event["type"]
        variant = VARIANT_KEYS.get(kind)
        symbol = f"{kind}[{variant}]" if variant and event.get(variant) else kind
        if direction == "send":
            table, state, refusals = (
                course.send_table,
                self.sending,
                course.send_refusals,
            )
        else:
            table, state = course.receive_table, self.receiving
            refusals = course.receive_refusals
        target = table[state].get(symbol)
        if target is not None:
            self._moved(direction, course, target)
        elif not gated:
            self._is_disordered = True
            text = _misplaced(table[state], state, self.offer, direction)
            yield why(refusals, state, kind), text

    def _moved(self, direction: Direction, course: Course, target: str) -> None:
        if direction == "send" or course.is_joint:
            self.sending = target
        if direction == "receive" or course.is_joint:
            self.receiving = target
            self.is_closed = self.is_closed or target == "DISCONNECTED"

    def _named(self, event: object, findings: list[Finding]) -> list[Finding]:
        try:
            kind = cast("Mapping[str, Any]", event)["type"]
            name = repr(kind) if kind in EVENTS else show(kind)
        except Exception:  # noqa: BLE001 - a foreign object's method may raise anything
            name = f"of class {class_name(event)}"
        return [(rule, f"the event {name} {found}") for rule, found in findings]

    def _violations(self, side: Side, findings: list[Finding]) -> Violations:
        return violations_of(self.protocol, self.profile, side, findings)


def _misplaced(outgoing: Iterable[str], state: str, offer: Offer, way: str) -> str:
    """Say that the event is wrong here, and what would be right."""
    shapes = {symbol: EVENTS.get(symbol.partition("[")[0]) for symbol in outgoing}
    possible = sorted(
        symbol
        for symbol, shape in shapes.items()
        if shape is not None
        and shape.direction == way
        and (shape.extension is None or shape.extension in offer.extensions)
    )
    right = ", ".join(possible) or "nothing"
    return f"comes in the state {state}, where possible is: {right}"


def violations_of(
    protocol: str, profile: Profile, side: Side, findings: list[Finding]
) -> Violations:
    enforced = (
        (rule, found)
        for name, found in findings
        if (rule := RULES[name]).profile <= profile
    )
    return tuple(
        Violation(rule, side, protocol, found, rule.text) for rule, found in enforced
    )
