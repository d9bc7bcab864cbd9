"""Judging what came of the requests."""

import hashlib
from collections.abc import Sequence

import httpx
import pytest

from asgibridge.cli._demo._client import misplaced, visit
from asgibridge.cli._demo._gates import Gates
from asgibridge.cli._demo._payload import PAYLOAD_BYTES, chunks, payload_digest
from asgibridge.cli._demo._steps import STEPS, Place, Step, Visit, WrongAnswerError
from asgibridge.cli._demo._trace import Part, Trace

_LOOP, _OTHER_LOOP = 7, 8


def _step(*, threads: int = 1) -> Step:
    places = {"handler": Place.LOOP, "query": Place.WORKER, "close": Place.WORKER}
    return Step("GET /", "nothing", lambda _: "", places, threads=threads)


_HANDLER = Part("handler", "uvicorn", _LOOP)
_QUERY = Part("query", "worker-1", None)
_CLOSE = Part("close", "worker-1", None)


def test_everything_in_its_place() -> None:
    """Handler on the loop, the rest on one worker: nothing to say."""
    assert misplaced(_step(), [_HANDLER, _QUERY, _CLOSE], loop=_LOOP) is None


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([_HANDLER, _QUERY], "ran handler, query instead of close, handler, query"),
        ([Part("handler", "w", None), _QUERY, _CLOSE], "handler should run on the"),
        ([Part("handler", "w", _OTHER_LOOP), _QUERY, _CLOSE], "handler should run on"),
        ([_HANDLER, Part("query", "uvicorn", _LOOP), _CLOSE], "query should run on a"),
        ([_HANDLER, Part("query", "w", _OTHER_LOOP), _CLOSE], "query should run on a"),
        ([_HANDLER, _QUERY, Part("close", "worker-2", None)], "took 2 worker threads"),
    ],
)
def test_misplaced(parts: Sequence[Part], why: str) -> None:
    """What is missing or in the wrong place is named."""
    problem = misplaced(_step(), parts, loop=_LOOP)
    assert problem is not None
    assert problem.startswith(why)


def test_number_of_threads() -> None:
    """Requests that run at once take as many threads as they are."""
    parts = [_HANDLER, _QUERY, Part("close", "worker-2", None)]
    assert misplaced(_step(threads=2), parts, loop=_LOOP) is None


def test_payload() -> None:
    """The payload has its size and its digest."""
    payload = b"".join(chunks())
    assert len(payload) == PAYLOAD_BYTES
    assert hashlib.sha256(payload).hexdigest() == payload_digest()


def test_no_server() -> None:
    """A server that is not there is a wrong answer to every request, no traceback."""
    gates = Gates(timeout=0.001)
    outcomes = list(visit("http://127.0.0.1:1", trace=Trace(), gates=gates, loop=None))
    assert [outcome.number for outcome in outcomes] == list(range(1, len(STEPS) + 1))
    assert [outcome.step for outcome in outcomes] == list(STEPS)
    assert all(outcome.problem is not None for outcome in outcomes)
    assert {outcome.answer for outcome in outcomes} == {""}


@pytest.mark.parametrize("status", [200, 201, 404, 500])
def test_wrong_answers(status: int) -> None:
    """No step takes a wrong status or a wrong body for right."""

    def respond(request: httpx.Request) -> httpx.Response:
        request.read()
        return httpx.Response(status, text="wrong")

    gates = Gates()
    gates.leave_open()
    transport = httpx.MockTransport(respond)
    asked = 0
    for step in STEPS:
        if step.request == "GET /flask/missing" and status == 404:
            continue  # whatever the page says
        with (
            httpx.Client(transport=transport, base_url="http://demo") as http,
            pytest.raises(WrongAnswerError, match=r"instead of|bytes that are not"),
        ):
            step.ask(Visit(http=http, gates=gates))
        asked += 1
    assert asked >= len(STEPS) - 1
