"""OpenTelemetryObserver: spans that follow the crossing, and metrics."""

import asyncio
import gc
import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.testing import FakeCrossing

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span

from asgibridge.observers.otel import OpenTelemetryObserver


class Telemetry:
    """An observer, and what it has sent."""

    def __init__(self) -> None:
        """Set up the SDK, in memory and without anything global."""
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("tests")
        self._reader = InMemoryMetricReader()
        meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.observer = OpenTelemetryObserver(
            tracer=self.tracer, meter=meters.get_meter("tests")
        )

    @property
    def spans(self) -> Mapping[str, ReadableSpan]:
        """The finished spans, by the last part of their names."""
        spans = self._exporter.get_finished_spans()
        return {span.name.rpartition(".")[2]: span for span in spans}

    def histogram(self, name: str) -> list[Any]:
        """Return the data points of a histogram."""
        data = self._reader.get_metrics_data()
        assert data is not None
        metrics = data.resource_metrics[0].scope_metrics[0].metrics
        return list(next(m for m in metrics if m.name == name).data.data_points)


@pytest.fixture
def telemetry() -> Telemetry:
    """Provide an observer with everything it needs."""
    return Telemetry()


def parent_of(span: ReadableSpan) -> int | None:
    """Return the identifier of the parent."""
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    """Return the identifier of a span."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def test_spans_follow_the_crossing(telemetry: Telemetry) -> None:
    """What is current where a call is made is the parent where it runs."""
    with Bridge(observers=[telemetry.observer]) as bridge:

        async def fetch() -> None:
            with telemetry.tracer.start_as_current_span("query"):
                await asyncio.sleep(0)

        def view() -> None:
            bridge.async_to_sync(fetch)()

        async def main() -> None:
            with telemetry.tracer.start_as_current_span("request"):
                await bridge.sync_to_async(view)()
                assert get_current_span().is_recording()
            assert not get_current_span().is_recording()

        asyncio.run(main())
    spans = telemetry.spans
    chain = ["request", "view", "fetch", "query"]
    for outer, inner in itertools.pairwise(chain):
        assert parent_of(spans[inner]) == id_of(spans[outer])
    attributes = spans["view"].attributes
    assert attributes is not None
    assert attributes["asgibridge.direction"] == "sync_to_async"
    assert isinstance(attributes["thread.id"], int)
    assert [event.name for event in spans["view"].events] == ["started"]


def test_exception(telemetry: Telemetry) -> None:
    """A failure is in the span, and the caller gets it all the same."""

    def fail() -> None:
        msg = "no luck"
        raise ValueError(msg)

    with (
        Bridge(observers=[telemetry.observer]) as bridge,
        pytest.raises(ValueError, match="no luck"),
    ):
        asyncio.run(bridge.sync_to_async(fail)())
    span = telemetry.spans["fail"]
    assert not span.status.is_ok
    assert span.status.description == "no luck"
    assert [event.name for event in span.events] == ["started", "exception"]


def test_exception_that_cannot_be_read(telemetry: Telemetry) -> None:
    """Its span ends as that of an error; the bridge logs what it raised."""

    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise LookupError

    crossing = FakeCrossing(int, exception=UnreadableError())
    telemetry.observer.queued(crossing)
    with pytest.raises(LookupError):
        telemetry.observer.finished(crossing)
    assert not telemetry.spans["int"].status.is_ok


def test_metrics(telemetry: Telemetry) -> None:
    """Waiting and running are measured in seconds, by function."""
    crossing = FakeCrossing(len, queued_at=1.0, started_at=1.25, finished_at=2.0)
    telemetry.observer.queued(crossing)
    telemetry.observer.started(crossing)
    telemetry.observer.finished(crossing)
    (wait,) = telemetry.histogram("asgibridge.crossing.wait")
    (duration,) = telemetry.histogram("asgibridge.crossing.duration")
    assert (wait.count, wait.sum) == (1, 0.25)
    assert (duration.count, duration.sum) == (1, 0.75)
    assert wait.attributes == {
        "asgibridge.direction": "sync_to_async",
        "code.function.name": "len",
    }


def test_stuck(telemetry: Telemetry) -> None:
    """What is in the way is an event of the waiting call's span."""
    crossing = FakeCrossing(len)
    telemetry.observer.queued(crossing)
    telemetry.observer.stuck(crossing, 10.0, "store on worker-1")
    telemetry.observer.finished(crossing)
    (event,) = telemetry.spans["len"].events
    assert event.name == "stuck"
    assert event.attributes == {
        "asgibridge.waited": 10.0,
        "asgibridge.behind": "store on worker-1",
    }


def test_steps_of_unknown_crossings(telemetry: Telemetry) -> None:
    """An observer that was added late says nothing about calls made before."""
    crossing = FakeCrossing(len)
    telemetry.observer.started(crossing)
    telemetry.observer.stuck(crossing, 1.0, "")
    telemetry.observer.finished(crossing)
    assert telemetry.spans == {}


def test_withdrawn_call_is_not_sent(telemetry: Telemetry) -> None:
    """A call that is never finished leaves no span, and nothing in memory."""
    crossing = FakeCrossing(len)
    telemetry.observer.queued(crossing)
    del crossing
    gc.collect()
    assert telemetry.spans == {}
    assert len(telemetry.observer._spans) == 0


def test_defaults_are_global() -> None:
    """Without arguments it uses what OpenTelemetry is configured with."""
    observer = OpenTelemetryObserver()
    crossing = FakeCrossing(len)
    observer.queued(crossing)
    observer.started(crossing)
    observer.finished(crossing)
    assert len(observer._spans) == 0
