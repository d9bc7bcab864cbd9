"""`Trace`: which thread and loop ran which part of which request."""

import asyncio
import threading
from contextvars import Context

from asgibridge.cli._demo._trace import Part, Trace


def test_marks_belong_to_the_request_of_the_context() -> None:
    """Two contexts have two requests; what has none is not kept."""
    trace = Trace()
    first, second = Context(), Context()
    first.run(trace.begin, "1")
    second.run(trace.begin, "2")
    first.run(trace.mark, "view")
    second.run(trace.mark, "query")
    Context().run(trace.mark, "lost")
    name = threading.current_thread().name
    assert trace.parts("1") == (Part("view", name, None),)
    assert trace.parts("2") == (Part("query", name, None),)
    assert trace.parts("3") == ()


def test_marks_name_thread_and_loop() -> None:
    """A part is kept once for each thread and loop it ran on, in order."""
    trace = Trace()
    context = Context()
    context.run(trace.begin, "1")

    async def mark() -> int:
        trace.mark("chunk")
        return id(asyncio.get_running_loop())

    context.run(trace.mark, "chunk")
    context.run(trace.mark, "chunk")
    worker = threading.Thread(target=context.run, args=[trace.mark, "chunk"], name="w")
    worker.start()
    worker.join()
    loop = context.run(asyncio.run, mark())
    name = threading.current_thread().name
    assert trace.parts("1") == (
        Part("chunk", name, None),
        Part("chunk", "w", None),
        Part("chunk", name, loop),
    )
