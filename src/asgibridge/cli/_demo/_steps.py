"""The requests of the demonstration, and what is right for each."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Final, final

import attrs
import httpx

from ._gates import GUESTS, Gates, Sign
from ._payload import PAYLOAD_BYTES, chunks, payload_digest

__all__ = ("STEPS", "Place", "Step", "Visit", "WrongAnswerError")

_READERS: Final = 16
_NOTE: Final = "Written by blocking code, on behalf of async code."


class WrongAnswerError(Exception):
    """Raised for an answer that is not what it should be."""


class Place(Enum):
    """Where a part of a request should run."""

    LOOP = "on the server's loop"
    WORKER = "on a worker thread, away from the loop"


@final
@attrs.frozen
class Visit:
    """What a step works with.

    Args:
        http: Sends every request to the demonstration, with the step's number.
        gates: Shared with the applications.
    """

    http: httpx.Client
    gates: Gates


@final
@attrs.frozen
class Step:
    """One request, or several at once.

    Args:
        request: How the report names it.
        shows: What there is to see.
        ask: Makes the request and returns the answer in a few words; raises
            `WrongAnswerError` if it is wrong.
        places: Where each of its parts should run.
        threads: How many worker threads it should take, all parts together.
    """

    request: str
    shows: str
    ask: Callable[[Visit], str]
    places: Mapping[str, Place]
    threads: int = 1


def _text(response: httpx.Response, *, status: int, text: str) -> str:
    """Return the answer in a few words, if it is *status* and *text*."""
    if response.status_code != status:
        msg = f"status {response.status_code} instead of {status}"
        raise WrongAnswerError(msg)
    if response.text != text:
        msg = f"{response.text[:60]!r} instead of {text[:60]!r}"
        raise WrongAnswerError(msg)
    return f"{status} {text[:24]}"


def _hello(visit: Visit) -> str:
    response = visit.http.get("/flask/hello", params={"name": "Ada"})
    return _text(response, status=200, text="Hello, Ada!")


def _meet(visit: Visit) -> str:
    with ThreadPoolExecutor(GUESTS, thread_name_prefix="client") as clients:
        asked = [clients.submit(visit.http.get, "/flask/meet") for _ in range(GUESTS)]
    for answer in asked:
        _text(answer.result(), status=200, text="met")
    return f"{GUESTS} x 200 met"


def _download(visit: Visit) -> str:
    digest, size = hashlib.sha256(), 0
    with visit.http.stream("GET", "/flask/download") as response:
        for block in response.iter_bytes():
            visit.gates.give(Sign.DOWNLOAD_BEGUN)
            digest.update(block)
            size += len(block)
    if digest.hexdigest() != payload_digest():
        msg = f"{size} bytes that are not the {PAYLOAD_BYTES} expected"
        raise WrongAnswerError(msg)
    return f"{response.status_code}, {size} bytes"


def _upload(visit: Visit) -> str:
    response = visit.http.post("/flask/upload", content=_upload_body(visit.gates))
    _text(response, status=200, text=payload_digest())
    return f"200, {PAYLOAD_BYTES} bytes"


def _upload_body(gates: Gates) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks()):
        if number == 1:
            gates.wait_for(Sign.UPLOAD_BEGUN)
        yield chunk


def _missing(visit: Visit) -> str:
    response = visit.http.get("/flask/missing")
    return _text(response, status=404, text=response.text)[:3]


def _async(visit: Visit) -> str:
    response = visit.http.get("/flask/async", params={"n": 21})
    return _text(response, status=200, text="42")


def _write(visit: Visit) -> str:
    response = visit.http.post("/notes", content=_NOTE)
    return _text(response, status=201, text="kept")


def _read(visit: Visit) -> str:
    with ThreadPoolExecutor(_READERS, thread_name_prefix="client") as clients:
        asked = [clients.submit(visit.http.get, "/notes") for _ in range(_READERS)]
    for answer in asked:
        _text(answer.result(), status=200, text=f'["{_NOTE}"]')
    return f"{_READERS} x 200"


def _summary(visit: Visit) -> str:
    response = visit.http.get("/notes/summary")
    return _text(response, status=200, text="1 kept")


def _slow(visit: Visit) -> str:
    with ThreadPoolExecutor(1, thread_name_prefix="client") as clients:
        slow = clients.submit(visit.http.get, "/notes/slow")
        visit.gates.wait_for(Sign.QUERY_BEGUN)
        _text(visit.http.get("/notes/ping"), status=200, text="pong")
        visit.gates.give(Sign.PING_ANSWERED)
    return _text(slow.result(), status=200, text="slow, but done")


_WSGI: Final[Mapping[str, Place]] = {
    "WsgiToAsgi": Place.LOOP,
    "Flask view": Place.WORKER,
}

STEPS: Final[tuple[Step, ...]] = (
    Step("GET /flask/hello", "a Flask view on a worker thread", _hello, _WSGI),
    Step(
        f"{GUESTS} x GET /flask/meet",
        "views wait for one another, so they run at once",
        _meet,
        _WSGI,
        threads=GUESTS,
    ),
    Step(
        "GET /flask/download",
        "8 MiB, the rest made after the client has the first chunk",
        _download,
        {**_WSGI, "response body": Place.WORKER, "close()": Place.WORKER},
    ),
    Step(
        "POST /flask/upload",
        "8 MiB, the rest sent after the view has the first chunk",
        _upload,
        {**_WSGI, "request body": Place.WORKER},
    ),
    Step(
        "GET /flask/async",
        "a view calls async code",
        _async,
        {**_WSGI, "coroutine": Place.LOOP},
    ),
    Step(
        "GET /flask/missing",
        "an error page",
        _missing,
        {"WsgiToAsgi": Place.LOOP},
        threads=0,
    ),
    Step(
        "POST /notes",
        "async code calls blocking sqlite3 code",
        _write,
        {"async handler": Place.LOOP, "sqlite3 INSERT": Place.WORKER},
    ),
    Step(
        f"{_READERS} x GET /notes",
        "all on the thread that the connection belongs to",
        _read,
        {"async handler": Place.LOOP, "sqlite3 SELECT": Place.WORKER},
    ),
    Step(
        "GET /notes/summary",
        "async code calls sqlite3 code, which calls async code",
        _summary,
        {
            "async handler": Place.LOOP,
            "sqlite3 SELECT": Place.WORKER,
            "coroutine": Place.LOOP,
        },
    ),
    Step(
        "GET /notes/slow",
        "another request is answered while the query blocks",
        _slow,
        {"async handler": Place.LOOP, "sqlite3 slow SELECT": Place.WORKER},
    ),
)
"""In this order: the notes are written before they are read."""
