"""Answers that the adapters give in place of the application."""

from collections.abc import Iterator

from ._asgi import Event

__all__ = ("refusal",)


def refusal(status: int, reason: str, *, retry_after: int = 0) -> Iterator[Event]:
    """Return the events of a plain text response that says *reason*."""
    body = f"{reason}\n".encode("utf-8", "replace")
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    if retry_after:
        headers.append((b"retry-after", b"%d" % retry_after))
    yield {"type": "http.response.start", "status": status, "headers": headers}
    yield {"type": "http.response.body", "body": body, "more_body": False}
