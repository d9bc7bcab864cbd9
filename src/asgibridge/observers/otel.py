"""Crossings as OpenTelemetry spans and metrics.

Needs the extra ``otel``: ``pip install 'asgibridge[otel]'``, which brings the
API; where the data goes is configured with OpenTelemetry's SDK as usual.
"""

from contextvars import Token
from typing import Final, final
from weakref import WeakKeyDictionary

import attrs
from opentelemetry import context, trace
from opentelemetry.metrics import Histogram, Meter, get_meter
from opentelemetry.trace import Span, Status, StatusCode, Tracer, get_tracer

from ..types import Crossing
from ._names import message_of, name_of

__all__ = ("OpenTelemetryObserver",)

_SCOPE: Final = "asgibridge"


@final
@attrs.define(eq=False)
class _Spanned:
    """The span of one crossing, and how to leave it."""

    span: Span
    token: "Token[context.Context] | None" = None


@final
@attrs.define(eq=False)
class OpenTelemetryObserver:
    """Makes a span of each crossing, and measures how long they wait and run.

    A span begins when the call is made and ends when the function does; the
    event ``started`` in it says when the function was entered.  It is current
    while the function runs, so spans of the code inside become its children, on
    whichever thread or loop that is.

    Histograms, in seconds: ``asgibridge.crossing.wait`` until a call is
    started, ``asgibridge.crossing.duration`` of its function.  Thread-safe.

    Args:
        tracer: Makes the spans; None takes that of the global provider.
        meter: Makes the histograms; None takes that of the global provider.
    """

    _tracer: Tracer = attrs.field(
        factory=lambda: get_tracer(_SCOPE), kw_only=True, alias="tracer"
    )
    _meter: Meter = attrs.field(
        factory=lambda: get_meter(_SCOPE), kw_only=True, alias="meter"
    )
    _wait: Histogram = attrs.field(init=False, repr=False)
    _duration: Histogram = attrs.field(init=False, repr=False)
    # Weakly: a call that is withdrawn is never finished, and its span not sent.
    _spans: "WeakKeyDictionary[Crossing, _Spanned]" = attrs.field(
        factory=WeakKeyDictionary["Crossing", _Spanned], init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        self._wait = self._meter.create_histogram(
            "asgibridge.crossing.wait",
            unit="s",
            description="Time between a call and the start of its function",
        )
        self._duration = self._meter.create_histogram(
            "asgibridge.crossing.duration",
            unit="s",
            description="Time that the function of a crossing takes",
        )

    def queued(self, crossing: Crossing, /) -> None:
        """Begin the span, as a child of what is current where the call is made."""
        span = self._tracer.start_span(
            name_of(crossing.function),
            attributes={"asgibridge.direction": crossing.direction},
        )
        self._spans[crossing] = _Spanned(span)

    def started(self, crossing: Crossing, /) -> None:
        """Make the span current where the function runs."""
        spanned = self._spans.get(crossing)
        if spanned is None:
            return
        waited = (crossing.started_at or crossing.queued_at) - crossing.queued_at
        spanned.span.set_attribute("thread.id", crossing.thread or 0)
        spanned.span.add_event("started", {"asgibridge.waited": waited})
        spanned.token = context.attach(trace.set_span_in_context(spanned.span))
        self._wait.record(waited, _labels(crossing))

    def finished(self, crossing: Crossing, /) -> None:
        """End the span."""
        spanned = self._spans.pop(crossing, None)
        if spanned is None:
            return
        if spanned.token is not None:
            context.detach(spanned.token)
        exc = crossing.exception
        try:
            if exc is not None:
                spanned.span.set_status(Status(StatusCode.ERROR, message_of(exc)))
                spanned.span.record_exception(exc)  # reads the message, which may raise
        finally:
            spanned.span.end()
        started, finished = crossing.started_at, crossing.finished_at
        if started is not None and finished is not None:
            self._duration.record(finished - started, _labels(crossing))

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        """Note in the span what is in the way."""
        spanned = self._spans.get(crossing)
        if spanned is not None:
            details: dict[str, float | str] = {
                "asgibridge.waited": seconds,
                "asgibridge.behind": behind,
            }
            spanned.span.add_event("stuck", details)


def _labels(crossing: Crossing) -> dict[str, str]:
    return {
        "asgibridge.direction": crossing.direction,
        "code.function.name": name_of(crossing.function),
    }
