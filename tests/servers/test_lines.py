"""Lines as messages: standard input and output, files, TCP."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO, Any, TypeVar

import pytest
from hypothesis import given, strategies as st

from asgibridge.errors import SourceError, WireFormatError
from asgibridge.servers import (
    LineCodec,
    LineReader,
    LineSink,
    LineSource,
    LineWriter,
    Message,
    StatelessServer,
    TcpSink,
    TcpSource,
    open_stdin,
    open_stdout,
)
from asgibridge.servers._lines import read_lines
from asgibridge.types import ASGIApp, MessageEvent, MessageScope, Settlement
from tests.staging import PATIENCE

Simulate = Callable[[Coroutine[Any, Any, None]], float]
Receive = Callable[[], Awaitable[MessageEvent]]
Send = Callable[[MessageEvent], Awaitable[None]]

LONG = 1024 * 1024

T = TypeVar("T")


async def echo(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Answer each text; pass on what is addressed with ``@``."""
    while (event := await receive())["type"] == "message.receive":
        text: str = event["text"]
        if text.startswith("@"):
            to, _, rest = text[1:].partition(" ")
            passed = {"type": "message.receive", "text": f"{scope['scope_id']}: {rest}"}
            await send({"type": "message.publish", "scope_id": to, "event": passed})
        else:
            await send({"type": "message.send", "text": f"you said {text}"})
    if event["type"] == "message.closed":
        await send({"type": "message.send", "text": "too late"})


# The codec


@pytest.mark.parametrize(
    ("line", "scope_id", "text"),
    [
        ("hello", "terminal", "hello"),
        ("alice: hello", "alice", "hello"),
        ("alice:hello: you", "alice", "hello: you"),
        ("a word: hello", "terminal", "a word: hello"),
        ("alice: ", "alice", ""),
    ],
)
def test_text_lines(line: str, scope_id: str, text: str) -> None:
    """A name in front names the conversation."""
    message = LineCodec().decode(line, "terminal")
    assert message.scope_id == message.scope["scope_id"] == scope_id
    assert message.event == {"type": "message.receive", "text": text}


def test_names_can_be_off() -> None:
    """Where each connection is a conversation, a colon is a colon."""
    message = LineCodec(is_named=False).decode("alice: hello", "connection")
    assert message.scope_id == "connection"
    assert message.event["text"] == "alice: hello"


def test_json_lines() -> None:
    """A JSON object says everything, or leaves scope and conversation out."""
    codec = LineCodec()
    message = codec.decode(
        '{"scope_id": "x", "scope": {"type": "mqtt"}, "event": {"type": "mqtt.msg"}}',
        "terminal",
    )
    assert message.scope_id == "x"
    assert message.scope == {"type": "mqtt", "scope_id": "x"}
    assert message.event == {"type": "mqtt.msg"}
    message = codec.decode('{"event": {"type": "y"}}', "terminal")
    assert (message.scope_id, message.scope["type"]) == ("terminal", "message")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ('{"scope_id": ""}', "non-empty string as scope_id"),
        ('{"scope_id": 5}', "non-empty string as scope_id"),
        ('{"event": "text"}', "event must be an object with a type"),
        ('{"event": {"type": 1}}', "event must be an object with a type"),
        ('{"event": {"type": "x"}, "scope": {}}', "scope must be an object"),
    ],
)
def test_lines_that_are_no_messages(line: str, problem: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(WireFormatError, match=problem):
        LineCodec().decode(line, "terminal")


@pytest.mark.parametrize(
    ("codec", "event", "line"),
    [
        (LineCodec(), {"type": "message.send", "text": "hi"}, "a: hi\n"),
        (LineCodec(), {"type": "message.send", "text": "x\ny"}, "a: x\na: y\n"),
        (LineCodec(), {"type": "message.send", "text": ""}, "a: \n"),
        (LineCodec(), {"type": "message.send", "text": "hi", "to": "b"}, "b: hi\n"),
        (
            LineCodec(is_named=False),
            {"type": "message.send", "text": "hi", "to": "b"},
            "hi\n",
        ),
        (
            LineCodec(),
            {"type": "other", "é": 1},
            '{"scope_id":"a","event":{"type":"other","é":1}}\n',
        ),
        (
            LineCodec(writes_json=True),
            {"type": "message.send", "text": "hi"},
            '{"scope_id":"a","event":{"type":"message.send","text":"hi"}}\n',
        ),
    ],
)
def test_events_as_lines(codec: LineCodec, event: MessageEvent, line: str) -> None:
    """Texts for people, everything else as JSON."""
    assert codec.encode(Message("a", {"type": "x"}), event) == line


def test_an_event_that_json_cannot_say() -> None:
    """The error names it."""
    with pytest.raises(WireFormatError, match=r"cannot be sent as JSON.*b'bytes'"):
        LineCodec().encode(Message("a", {}), {"type": "x", "data": b"bytes"})


# Streams


class Written:
    """A writer that remembers."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> None:
        self.data += data

    async def drain(self) -> None:
        """Nothing is held back."""


def streams(
    *data: bytes,
) -> tuple[
    Written,
    Callable[[], AbstractAsyncContextManager[LineReader]],
    Callable[[], AbstractAsyncContextManager[LineWriter]],
]:
    """Return what is written, and how to open a reader and the writer."""
    written = Written()

    @contextlib.asynccontextmanager
    async def open_reader() -> AsyncGenerator[LineReader, None]:
        reader = asyncio.StreamReader(limit=LONG)
        for chunk in data:
            reader.feed_data(chunk)
        reader.feed_eof()
        yield reader

    @contextlib.asynccontextmanager
    async def open_writer() -> AsyncGenerator[LineWriter, None]:
        yield written

    return written, open_reader, open_writer


def test_a_server_on_lines(simulate: Simulate) -> None:
    """Lines in, lines out, to the end of the stream."""

    async def main() -> None:
        written, open_reader, open_writer = streams(
            b"alice: hi\r\n\nbob: ", b"@alice there\nhello\nlast"
        )
        source = LineSource(open_reader)
        await StatelessServer(echo, source, LineSink(open_writer, source)).serve()
        assert sorted(written.data.decode().splitlines()) == [
            "alice: you said bob: there",
            "alice: you said hi",
            "terminal: you said hello",
            "terminal: you said last",
        ]

    simulate(main())


def test_lines_that_are_lost(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """What was read and not handled at the end is in the log, at least."""

    async def main() -> None:
        _, open_reader, _ = streams(b"one\ntwo\nthree\n")
        source = LineSource(open_reader)
        await source.open()
        first, second = await source.pull(2)
        await source.settle(first, Settlement.DONE)
        await source.settle(second, Settlement.RETRY, delay=1)
        await source.close()

    simulate(main())
    assert "2 messages were read and not handled; they are lost" in caplog.text


def test_a_sink_without_a_source_writes_everything(simulate: Simulate) -> None:
    """What cannot be published is seen, not lost."""

    async def main() -> None:
        written, open_reader, open_writer = streams(b"@bob psst\n")
        source = LineSource(open_reader, scope_id="me")
        await StatelessServer(echo, source, LineSink(open_writer)).serve()
        assert b'"type":"message.publish","scope_id":"bob"' in written.data

    simulate(main())


def test_lines_that_are_left_out(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """Bad ones are logged, and the others read."""

    async def main() -> None:
        written, open_reader, open_writer = streams(
            b"\xff\n", b"{bad\n", b"x" * (LONG + 2) + b"\n", b"a: good\n"
        )
        source = LineSource(open_reader)
        await StatelessServer(echo, source, LineSink(open_writer)).serve()
        assert written.data == b"a: you said good\n"

    simulate(main())
    assert "a line is not UTF-8" in caplog.text
    assert "a line is left out: not JSON" in caplog.text
    assert "a line is longer than 1048576 bytes" in caplog.text


def test_a_slow_application_stops_the_reading(simulate: Simulate) -> None:
    """What is read is bounded; closing leaves the rest where it is."""

    async def main() -> None:
        _, open_reader, _ = streams(b"line\n" * 5000)
        source = LineSource(open_reader)
        await source.open()
        for _ in range(3000):
            await asyncio.sleep(0)
        assert len(source.memory) == 1000
        await source.close()

    simulate(main())


def test_closing_what_was_never_opened(simulate: Simulate) -> None:
    """A server that cannot open its sink closes everything."""

    async def main() -> None:
        _, open_reader, open_writer = streams()
        await LineSource(open_reader).close()
        await LineSink(open_writer).close()
        await TcpSource("127.0.0.1", 0).close()

    simulate(main())


# Real files and pipes


def on(opener: Callable[[IO[bytes]], T], file: IO[bytes]) -> Callable[[], T]:
    """Return *opener* for a file."""
    return lambda: opener(file)


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_real_streams(tmp_path: Path, kind: str) -> None:
    """Pipes are waited for without a thread; files are read on one."""
    if kind == "pipe":
        read_end, stdin = os.pipe()
        stdout, write_end = os.pipe()
    else:
        (tmp_path / "in").touch()
        (tmp_path / "out").touch()
        stdin = os.open(tmp_path / "in", os.O_WRONLY)
        read_end = os.open(tmp_path / "in", os.O_RDONLY)
        write_end = os.open(tmp_path / "out", os.O_WRONLY)
        stdout = os.open(tmp_path / "out", os.O_RDONLY)
    os.write(stdin, b"alice: hi\n")
    os.close(stdin)
    with os.fdopen(read_end, "rb") as reading, os.fdopen(write_end, "wb") as writing:
        source = LineSource(on(open_stdin, reading))
        sink = LineSink(on(open_stdout, writing), source)
        asyncio.run(StatelessServer(echo, source, sink).serve())
        # They are as they were: open, and blocking.
        assert os.get_blocking(reading.fileno())
        assert os.get_blocking(writing.fileno())
    assert os.read(stdout, 100) == b"alice: you said hi\n"
    os.close(stdout)


def test_the_null_device() -> None:
    """A service without standard input has come to the end of it."""
    with Path(os.devnull).open("rb") as reading, Path(os.devnull).open("wb") as writing:
        source = LineSource(on(open_stdin, reading))
        sink = LineSink(on(open_stdout, writing), source)
        asyncio.run(StatelessServer(echo, source, sink).serve())


def test_a_reader_that_went_away() -> None:
    """A broken pipe is the application's to notice, not the end of the server."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    errors: list[BaseException] = []

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            while True:
                await send({"type": "message.send", "text": "anybody?"})
        except ConnectionError as exc:
            errors.append(exc)

    async def main() -> None:
        _, open_reader, _ = streams(b"line\n")
        with os.fdopen(write_end, "wb") as writing:
            sink = LineSink(on(open_stdout, writing))
            source = LineSource(open_reader)
            await StatelessServer(app, source, sink, lifespan="off").serve()

    asyncio.run(main())
    assert len(errors) == 1


def test_a_reader_that_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing does not wait for it for ever."""
    monkeypatch.setattr("asgibridge.servers._stdio._CLOSE_SECONDS", 0.05)
    read_end, write_end = os.pipe()

    async def main() -> None:
        with os.fdopen(write_end, "wb") as writing:
            async with open_stdout(writing) as writer:
                writer.write(b"x" * LONG)

    asyncio.run(main())
    os.close(read_end)


def test_long_lines_of_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line too long is skipped to its end, wherever that is."""
    path = tmp_path / "lines"
    path.write_bytes(b"x" * (3 * LONG) + b"\na: good\n" + b"x" * (LONG + 1))

    async def main() -> None:
        written, _, open_writer = streams()
        with path.open("rb") as file:
            source = LineSource(on(open_stdin, file))
            await StatelessServer(echo, source, LineSink(open_writer)).serve()
        assert written.data == b"a: you said good\n"

    asyncio.run(main())
    assert caplog.text.count("a line is longer than") == 2


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(1, 12), st.booleans())
def test_long_lines_of_a_stream(
    lengths: list[int],
    chunk: int,
    ends: bool,  # noqa: FBT001  # given by hypothesis
) -> None:
    """In whatever pieces they come: one complaint each, and nothing of them is left."""
    limit = 8
    sent = [f"{number}{'x' * length}" for number, length in enumerate(lengths)]
    data = "\n".join(sent) + "\n" * ends

    async def main() -> tuple[list[str], list[str]]:
        reader, complaints = asyncio.StreamReader(limit=limit), list[str]()

        async def feed() -> None:
            for start in range(0, len(data), chunk):
                reader.feed_data(data[start : start + chunk].encode())
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        found = [line async for line in read_lines(reader, complaints.append)]
        await feeding
        return found, complaints

    found, complaints = asyncio.run(main())
    assert found == [line for line in sent if len(line) <= limit]
    assert len(complaints) == len(sent) - len(found)


# TCP


@contextlib.asynccontextmanager
async def tcp_server(
    app: ASGIApp = echo, *, patience: float = 10.0
) -> AsyncGenerator[TcpSource, None]:
    """Serve an application over TCP, on a free port."""
    source = TcpSource("127.0.0.1", 0)
    sink = TcpSink(source, patience=patience)
    server = StatelessServer(app, source, sink, lifespan="off")
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        # ASYNC110: a source says nothing when it listens; it takes a few steps.
        while source.port == 0:  # noqa: ASYNC110
            await asyncio.sleep(0)
        try:
            yield source
        finally:
            server.stop()


def address(writer: asyncio.StreamWriter) -> str:
    """Return the scope id of a client."""
    host, port = writer.get_extra_info("sockname")[:2]
    return f"{host}:{port}"


async def hang_up(*writers: asyncio.StreamWriter) -> None:
    """Close connections."""
    for writer in writers:
        writer.close()
        await writer.wait_closed()


def test_each_connection_is_a_conversation() -> None:
    """Two clients talk to the application, and through it to each other."""

    async def main() -> None:
        async with tcp_server() as source:
            to = ("127.0.0.1", source.port)
            alice, from_alice = await asyncio.open_connection(*to)
            bob, from_bob = await asyncio.open_connection(*to)
            from_alice.write(b"hello: you\n")
            assert await alice.readline() == b"you said hello: you\n"
            from_bob.write(b"\xff\n{}\n@" + address(from_alice).encode() + b" hi\n")
            said = f"you said {address(from_bob)}: hi\n"
            assert await alice.readline() == said.encode()
            assert (await bob.readline()).startswith(b"error: a line is not UTF-8")
            assert (await bob.readline()).startswith(b"error: a message's event")
            await hang_up(from_alice, from_bob)

    asyncio.run(main())


def test_a_client_that_hangs_up() -> None:
    """The application is told; answers to nobody are dropped."""
    told = asyncio.Event()

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] == "message.closed":
            await send({"type": "message.send", "text": "are you there?"})
            told.set()

    async def main() -> None:
        async with tcp_server(app) as source:
            _, writer = await asyncio.open_connection("127.0.0.1", source.port)
            await hang_up(writer)
            async with asyncio.timeout(PATIENCE):
                await told.wait()

    asyncio.run(main())


def test_a_client_that_never_reads_what_is_wrong() -> None:
    """It is not told any more than it may leave unread, and its lines count."""
    heard = asyncio.Event()

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        if (await receive())["text"] == "good":
            heard.set()

    async def main() -> None:
        async with tcp_server(app) as source:
            with socket.create_connection(("127.0.0.1", source.port)) as client:
                bad = b"{" + b"x" * 200 + b"\n"
                await asyncio.to_thread(client.sendall, bad * 100_000 + b"good\n")
                async with asyncio.timeout(PATIENCE):
                    await heard.wait()
                host, port = client.getsockname()
                writer = source.connection(f"{host}:{port}")
                assert writer is not None
                unread = writer.transport.get_write_buffer_size()
                assert 60_000 < unread < 70_000

    asyncio.run(main())


def test_a_connection_that_breaks(caplog: pytest.LogCaptureFixture) -> None:
    """A reset is like hanging up."""
    told = asyncio.Event()

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] == "message.closed":
            told.set()

    async def main() -> None:
        async with tcp_server(app) as source:
            with socket.create_connection(("127.0.0.1", source.port)) as client:
                linger = b"\x01\0\0\0\0\0\0\0"  # on, for no time: close is a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            async with asyncio.timeout(PATIENCE):
                await told.wait()

    with caplog.at_level("INFO", "asgibridge.servers"):
        asyncio.run(main())
    assert "broke" in caplog.text


def test_a_client_that_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """It is hung up on, and others go on."""
    finished = asyncio.Event()

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        event = await receive()
        while not finished.is_set() and event["type"] == "message.receive":
            await send({"type": "message.send", "text": "x" * LONG})
            if "does not read" in caplog.text:
                finished.set()

    async def main() -> None:
        async with tcp_server(app, patience=0.02) as source:
            _, writer = await asyncio.open_connection("127.0.0.1", source.port)
            writer.write(b"go\n")
            async with asyncio.timeout(PATIENCE):
                await finished.wait()
            await hang_up(writer)

    asyncio.run(main())


def test_a_port_that_is_taken() -> None:
    """The error says which, and the server does not try for ever."""

    async def main() -> None:
        async with tcp_server() as source:
            other = TcpSource("127.0.0.1", source.port)
            with pytest.raises(SourceError, match=f"127.0.0.1:{source.port}.*another"):
                await StatelessServer(echo, other, TcpSink(other)).serve()

    asyncio.run(main())


def test_the_server_hangs_up_at_its_end() -> None:
    """Clients see the end of the stream."""

    async def main() -> None:
        async with tcp_server() as source:
            reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
            writer.write(b"x\n")
            await reader.readline()
        assert await reader.read() == b""
        await hang_up(writer)

    asyncio.run(main())


def test_a_written_pipe_is_closed_without_an_error() -> None:
    """What was written is all there, and closing finds nothing to abort."""

    async def main(writing: IO[bytes]) -> None:
        async with open_stdout(writing) as writer:
            writer.write(b"all of it\n")

    read, write = os.pipe()
    with os.fdopen(read, "rb") as reading:
        with os.fdopen(write, "wb") as writing:
            asyncio.run(main(writing))
        assert reading.read() == b"all of it\n"
