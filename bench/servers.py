"""The stateless server against asgiref's: throughput, losses, cost of an instance.

Run ``python -m bench.servers``.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from asgiref.server import StatelessServer as AsgirefServer

from asgibridge.servers import (
    HandlerServer,
    InputQueue,
    Limits,
    MemorySink,
    MemorySource,
    Message,
    StatelessServer,
)
from asgibridge.types import MessageEvent, MessageScope

CONVERSATIONS = 20_000
SLOTS = 1_000
ROUNDS = 3
SCOPES = 100_000

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
SCOPE = {"type": "message"}


class Server(Protocol):
    """What both servers have in common."""

    answers: int
    batch: int

    def run(self) -> None:
        """Run to the end."""
        ...

    # Any: each has a queue of its own kind.
    def get_or_create_application_instance(self, scope_id: str, scope: Event, /) -> Any:
        """Return the queue of a conversation."""
        ...


async def app(scope: Event, receive: Receive, send: Send) -> None:
    """Answer each message after one turn of the loop."""
    while (event := await receive())["type"] == "message.receive":
        await asyncio.sleep(0)
        await send(event)


async def bring(server: "Server", put: Callable[[Any, Event], Awaitable[None]]) -> None:
    """Bring one message of each conversation, in batches, as streams do."""
    for number in range(CONVERSATIONS):
        queue = server.get_or_create_application_instance(str(number), SCOPE)
        await put(queue, {"type": "message.receive"})
        if number % server.batch == 0:
            await asyncio.sleep(0)


class Theirs(AsgirefServer):
    """Asgiref's server, as its documentation says."""

    answers, batch = 0, 1

    async def handle(self) -> None:
        """Bring the messages."""

        async def put(queue: asyncio.Queue[Event], event: Event) -> None:
            queue.put_nowait(event)

        await bring(self, put)
        await asyncio.sleep(0.01)  # for the answers of the last ones

    async def application_send(self, scope: Event, message: Event) -> None:
        """Count an answer."""
        self.answers += 1


class Ours(HandlerServer):
    """The same on the core of asgibridge."""

    answers, batch = 0, 1

    async def handle(self) -> None:
        """Bring the messages."""

        async def put(queue: InputQueue, event: Event) -> None:
            await queue.put(event)

        await bring(self, put)

    async def application_send(
        self, scope: MessageScope, message: MessageEvent
    ) -> None:
        """Count an answer."""
        self.answers += 1


class Counting:
    """A sink that counts."""

    answers = 0

    async def open(self) -> None:
        """Do nothing."""

    async def send(self, _envelope: object, _event: object, /) -> None:
        """Count an answer."""
        self.answers += 1

    async def close(self) -> None:
        """Do nothing."""


def run_handler(server: "Server", batch: int) -> tuple[float, int]:
    """Return the seconds that a subclassed server took, and its answers."""
    server.batch = batch
    began = time.perf_counter()
    server.run()
    return time.perf_counter() - began, server.answers


def run_composed() -> tuple[float, int]:
    """Return the same for a server made of a source and a sink."""

    async def main() -> float:
        source = MemorySource()
        for number in range(CONVERSATIONS):
            source.put_nowait(Message(str(number), {"type": "message.receive"}, SCOPE))
        source.end()
        limits = Limits(max_applications=SLOTS)
        server = StatelessServer(app, source, sink, limits=limits, lifespan="off")
        began = time.perf_counter()
        await server.serve()
        return time.perf_counter() - began

    sink = Counting()
    return asyncio.run(main()), sink.answers


def throughput(batch: int) -> None:
    """Print messages per second, and losses, of the best round of each."""
    contestants: dict[str, Callable[[], tuple[float, int]]] = {
        "asgiref StatelessServer": lambda: run_handler(
            cast("Any", Theirs)(app, SLOTS), batch
        ),
        "asgibridge HandlerServer": lambda: run_handler(Ours(app, SLOTS), batch),
        "asgibridge StatelessServer": run_composed,
    }
    best: dict[str, tuple[float, int]] = {}
    for _ in range(ROUNDS):  # interleaved: a slow phase of the machine hits all
        for name, run in contestants.items():
            gc.collect()
            result = run()
            best[name] = min(best.get(name, result), result)
    reference = best["asgiref StatelessServer"][0]
    print(
        f"{CONVERSATIONS} conversations through {SLOTS} slots,"
        f" {batch} of them between two turns of the loop"
    )
    for name, (seconds, answers) in best.items():
        print(
            f"  {name:27} {CONVERSATIONS / seconds:8.0f}/s"
            f" {reference / seconds:6.1f}x  lost {CONVERSATIONS - answers}"
        )


def instance_cost() -> None:
    """Print what a new instance costs, with more and more of them alive."""

    class Filling(HandlerServer):
        async def handle(self) -> None:
            number = 0
            for goal in (1_000, 10_000, SCOPES - 10_000, SCOPES):
                began, first = time.perf_counter(), number
                while number < goal:
                    self.get_or_create_application_instance(str(number), SCOPE)
                    number += 1
                    if number % 100 == 0:
                        await asyncio.sleep(0)
                cost = 1e6 * (time.perf_counter() - began) / (number - first)
                print(f"  scopes {first:6} to {goal:6}: {cost:6.1f} us each")

        async def application_send(
            self, scope: MessageScope, message: MessageEvent
        ) -> None:
            """Nothing is sent."""

    print("a new instance, nothing evicted")
    gc.collect()
    gc.freeze()  # what grows with the number of objects alive is the collector
    gc.disable()
    Filling(app, SCOPES).run()
    gc.enable()

    print("a new instance in the place of the one that was idle longest")
    for slots in (1_000, 10_000, 50_000):
        asyncio.run(eviction_cost(slots))


async def eviction_cost(slots: int) -> None:
    """Print what a new instance costs that ends another one."""
    source, sink = MemorySource(), MemorySink(max_size=10**9)
    limits = Limits(max_applications=slots, idle_timeout=None)
    server = StatelessServer(app, source, sink, limits=limits, lifespan="off")
    serving = asyncio.create_task(server.serve())
    number = 0

    async def fill(count: int) -> None:
        nonlocal number
        for _ in range(count):
            source.put_nowait(Message(str(number), {"type": "message.receive"}, SCOPE))
            number += 1
        for _ in range(count):
            await sink.get()

    await fill(slots)
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    await fill(10_000)
    cost = 1e6 * (time.perf_counter() - began) / 10_000
    gc.enable()
    print(f"  {slots:6} slots: {cost:6.1f} us each")
    source.end()
    await serving


if __name__ == "__main__":
    throughput(batch=1)
    throughput(batch=256)
    throughput(batch=2_000)
    instance_cost()
