"""Options that mean nothing, of every package."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.adapters import ASGIValidator, ScopeKey, WsgiLimits, WsgiToAsgi
from asgibridge.errors import OptionError, OptionValueError
from asgibridge.executors import (
    InThreadLoopRunner,
    PerCallLoopRunner,
    PersistentLoopRunner,
    ThreadSensitivePool,
    WorkerPool,
)
from asgibridge.observers import TimelineObserver, TimelinePage
from asgibridge.servers import Backoff, Limits


def wsgi(_environ: object, _start_response: object) -> list[bytes]:
    return []


async def asgi(_scope: object, _receive: object, _send: object) -> None:
    return None


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (WorkerPool, {"max_workers": 0}, "max_workers of WorkerPool is at least 1, g"),
        (ThreadSensitivePool, {"max_workers": -1}, "ThreadSensitivePool is .* got -1"),
        (WorkerPool, {"idle_timeout": 0}, "is in seconds and above 0, got 0"),
        (ThreadSensitivePool, {"idle_timeout": float("nan")}, "got nan"),
        (PerCallLoopRunner, {"max_idle": -1}, "max_idle of PerCallLoopRunner is at l"),
        (InThreadLoopRunner, {"idle_timeout": -0.5}, "idle_timeout of InThread"),
        (Backoff, {"jitter": 1.5}, "jitter of Backoff is at most 1, got 1.5"),
        (Backoff, {"factor": float("nan")}, "factor of Backoff is at least 1, got nan"),
        (Limits, {"max_applications": 0}, "max_applications of Limits is at least 1"),
        (WsgiLimits, {"read_ahead_bytes": 2**21}, "is at most 1048576, got 2097152"),
        (
            lambda **given: WsgiToAsgi(wsgi, bridge=Bridge(), **given),
            {"drain_timeout": -1},
            "at least 0",
        ),
        (
            lambda **given: WsgiToAsgi(wsgi, bridge=Bridge(), **given),
            {"underscores": "both"},
            'underscores of WsgiToAsgi is "drop" or "keep" or "refuse", got \'both\'',
        ),
        (TimelineObserver, {"max_calls": 0}, "max_calls of TimelineObserver is at l"),
        (
            lambda **given: TimelinePage(TimelineObserver(), asgi, **given),
            {"path": "timeline"},
            "path of TimelinePage is a path such as .*, got 'timeline'",
        ),
    ],
)
def test_values_that_mean_nothing(
    make: Callable[..., object], options: dict[str, Any], message: str
) -> None:
    """Refused at once, with the option, its owner, what it may be and what it was."""
    with pytest.raises(OptionValueError, match=message) as caught:
        make(**options)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, OptionError)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (WorkerPool, {"max_workers": "3"}, "is a whole number, got '3'"),
        (WorkerPool, {"max_workers": 1.5}, "is a whole number, got 1.5"),
        (WorkerPool, {"idle_timeout": "3"}, "is a number of seconds, got '3'"),
        (PerCallLoopRunner, {"loop_factory": 3}, "is a callable without arg.*got 3"),
        (PersistentLoopRunner, {"loop_factory": "uvloop"}, "got 'uvloop'"),
        (Backoff, {"factor": "2"}, "factor of Backoff is a number, got '2'"),
        (ScopeKey, {"name": 3}, "name of ScopeKey is a text, got 3"),
        (ASGIValidator, {"app": None}, "app of ASGIValidator is a callable, got None"),
    ],
)
def test_things_of_another_type(
    make: Callable[..., object], options: dict[str, Any], message: str
) -> None:
    """The same."""
    with pytest.raises(OptionError, match=message) as caught:
        make(**options)
    assert isinstance(caught.value, TypeError)
    assert not isinstance(caught.value, ValueError)


def test_what_is_allowed() -> None:
    """At the limits, and None where that has a meaning."""
    WorkerPool(max_workers=1, idle_timeout=0.001).close()
    ThreadSensitivePool(max_workers=None, idle_timeout=1).close()
    PerCallLoopRunner(max_idle=0, loop_factory=asyncio.new_event_loop).close()
    PersistentLoopRunner(loop_factory=None).close()
