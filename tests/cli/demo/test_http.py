"""The little of HTTP over ASGI that the demonstration needs."""

import asyncio
from collections.abc import Iterable

from asgibridge.cli._demo._http import read_body, respond
from asgibridge.types import HTTPReceive, HTTPReceiveEvent, HTTPSendEvent


def _receive(events: Iterable[HTTPReceiveEvent]) -> HTTPReceive:
    remaining = iter(events)

    async def receive() -> HTTPReceiveEvent:
        return next(remaining)

    return receive


def test_read_body_in_pieces() -> None:
    """All pieces are taken; keys that are missing stand for their defaults."""
    receive = _receive(
        [
            {"type": "http.request", "body": b"one ", "more_body": True},
            {"type": "http.request", "more_body": True},
            {"type": "http.request", "body": b"two"},
        ]
    )
    assert asyncio.run(read_body(receive)) == b"one two"


def test_read_body_of_a_client_that_leaves() -> None:
    """What has arrived is returned."""
    receive = _receive(
        [
            {"type": "http.request", "body": b"one", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    assert asyncio.run(read_body(receive)) == b"one"


def test_respond() -> None:
    """The body is UTF-8, and its length is in bytes."""
    sent: list[HTTPSendEvent] = []

    async def send(event: HTTPSendEvent) -> None:
        sent.append(event)

    asyncio.run(respond(send, 201, "n\u00f6", content_type="text/html"))
    assert sent == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-length", b"3"),
            ],
        },
        {"type": "http.response.body", "body": b"n\xc3\xb6"},
    ]
