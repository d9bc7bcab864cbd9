"""Outcomes that nobody waits for any more."""

import asyncio
from typing import Any

import pytest

from asgibridge.bridge._late import report_late


def test_the_loop_is_told() -> None:
    """Its exception handler gets message and exception, once."""
    loop = asyncio.new_event_loop()
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, report: reports.append(report))
    exception = LookupError()
    report_late("the call", exception, loop)
    loop.close()
    assert reports == [
        {
            "message": "the call raised after its caller had stopped waiting for it",
            "exception": exception,
        }
    ]


@pytest.mark.parametrize("has_loop", [True, False])
def test_the_log_is_told(
    has_loop: bool,  # noqa: FBT001  # a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the loop is closed or gone."""
    loop = asyncio.new_event_loop()
    loop.close()
    report_late("the call", LookupError(), loop if has_loop else None)
    (record,) = caplog.records
    assert record.message.startswith("the call raised")


@pytest.mark.parametrize("exception", [None, asyncio.CancelledError()])
def test_nothing_to_report(
    exception: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A result that nobody wants, or a cancellation, is no news."""
    report_late("the call", exception, None)
    assert caplog.records == []
