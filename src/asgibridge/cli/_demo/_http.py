"""The little of HTTP over ASGI that the demonstration needs."""

from ...types import HTTPReceive, HTTPSend

__all__ = ("read_body", "respond")


async def read_body(receive: HTTPReceive) -> bytes:
    """Return the whole request body; what arrived, if the client left."""
    body = b""
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return body
        body += event.get("body", b"")
        if not event.get("more_body", False):
            return body


async def respond(
    send: HTTPSend, status: int, text: str, *, content_type: str = "text/plain"
) -> None:
    """Send a whole answer.

    Args:
        send: From the server.
        status: The HTTP status.
        text: The body, sent as UTF-8.
        content_type: Without the charset.
    """
    body = text.encode()
    headers = [
        (b"content-type", f"{content_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
