"""Requests to Django in process: ``python -m bench.django_client PATH SECONDS AT_ONCE``.

Prints requests per second, and seconds of CPU time per request.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

__all__ = ("main", "make_requests")

Application = Callable[[Any, Any, Any], Awaitable[None]]


def main(path: str, seconds: float, at_once: int) -> None:
    """Measure and print."""
    application: Application = __import__(
        "bench.django_app", fromlist=["application"]
    ).application
    print(*asyncio.run(_measure(application, path, seconds, at_once)))


async def _measure(
    application: Application, path: str, seconds: float, at_once: int
) -> tuple[float, float]:
    await _make_for(application, path, seconds / 4, at_once)  # until it is warm
    begin, cpu = time.perf_counter(), time.process_time()
    count = await _make_for(application, path, seconds, at_once)
    taken = time.perf_counter() - begin
    return count / taken, (time.process_time() - cpu) / count


async def _make_for(
    application: Application, path: str, seconds: float, at_once: int
) -> int:
    end = time.perf_counter() + seconds

    async def client() -> int:
        count = 0
        while time.perf_counter() < end:
            await make_requests(application, path, 10)
            count += 10
        return count

    return sum(await asyncio.gather(*(client() for _ in range(at_once))))


async def make_requests(application: Application, path: str, count: int) -> None:
    """Make *count* requests, one after the other.

    Raises:
        RuntimeError: If one is not answered with 200.
    """
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    statuses: set[int] = set()

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            statuses.add(event["status"])

    for _ in range(count):
        events: Iterator[dict[str, Any]] = iter([{"type": "http.request"}])

        async def receive(events: Iterator[dict[str, Any]] = events) -> dict[str, Any]:
            for event in events:
                return event
            await asyncio.Event().wait()  # the client stays
            raise AssertionError

        await application(scope.copy(), receive, send)
    if statuses != {200}:
        msg = f"{path} was answered with {statuses}"
        raise RuntimeError(msg)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
