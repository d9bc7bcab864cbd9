"""wsgi.input as a file."""

import io
import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from hypothesis import given, strategies as st

from asgibridge.adapters._input import BodyInput


def body_of(*chunks: bytes) -> BodyInput:
    parts: Iterator[bytes] = chain(filter(None, chunks), [b""])
    return BodyInput(
        lambda: next(parts), threading.Lock()
    )  # a pull after the end would raise


SIZES = st.none() | st.integers(-1, 12)
CALLS = st.lists(
    st.tuples(st.sampled_from(["read", "readline", "readlines"]), SIZES)
    | st.tuples(st.just("__next__"), st.just(())),
    max_size=8,
)
DATA = st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"a\nb\n"]), max_size=8)


def call(file: Any, method: str, size: Any) -> object:
    try:
        return file.__next__() if size == () else getattr(file, method)(size)
    except StopIteration:
        return "stop"


@given(DATA, CALLS)
def test_it_reads_as_any_file_does(
    chunks: list[bytes], calls: list[tuple[str, Any]]
) -> None:
    """Whatever is called in whatever order, with the body in whatever pieces."""
    body, file = body_of(*chunks), io.BytesIO(b"".join(chunks))
    for method, size in [*calls, ("read", -1), ("read", -1), ("readline", -1)]:
        assert call(body, method, size) == call(file, method, size)


@given(DATA, st.lists(SIZES))
def test_read1_returns_what_is_there(
    chunks: list[bytes], sizes: list[int | None]
) -> None:
    """In order, at most what was asked for, and nothing only at the end."""
    body, rest = body_of(*chunks), b"".join(chunks)
    for size in sizes:
        data = body.read1(size)
        assert rest.startswith(data)
        rest = rest[len(data) :]
        if size is not None and size >= 0:
            assert len(data) <= size
        assert data or not rest or size == 0
    assert body.read() == rest


@given(st.text(max_size=40), st.integers(1, 7))
def test_text_can_be_read_through_a_wrapper(text: str, size: int) -> None:
    """io.TextIOWrapper finds all it needs, also when it is thrown away."""
    data = text.encode()
    body = body_of(*(data[i : i + size] for i in range(0, len(data), size)))
    wrapper = io.TextIOWrapper(body, encoding="utf-8", newline="")  # type: ignore[type-var] # its stub wants WriteableBuffer in readinto
    assert wrapper.read() == text
    wrapper.close()
    assert body.read() == b""
    assert not body.closed


def test_readinto_fills_a_buffer() -> None:
    """As much as fits."""
    body, buffer = body_of(b"abc", b"def"), bytearray(4)
    assert body.readinto(buffer) == 4
    assert buffer == b"abcd"
    assert body.readinto(buffer) == 2
    assert buffer == b"efcd"


def test_it_says_what_it_can_do() -> None:
    """Read, and nothing else."""
    body = body_of()
    assert body.readable()
    assert not body.writable()
    assert not body.seekable()
    body.flush()
    body.close()
    assert list(body) == []


def test_nothing_is_pulled_before_a_read_nor_for_a_read_of_nothing() -> None:
    """So that a client which waits for "100 Continue" waits until it is wanted."""

    def pull() -> bytes:
        pytest.fail("pulled")

    body = BodyInput(pull, threading.Lock())
    assert body.read(0) == body.read1(0) == body.readline(0) == b""


def test_an_error_of_the_source_reaches_the_reader() -> None:
    """And what was read before it is not given out as a complete body."""
    parts: Iterator[Callable[[], bytes]] = chain([lambda: b"ab"], repeat(fail))

    def pull() -> bytes:
        return next(parts)()

    body = BodyInput(pull, threading.Lock())
    with pytest.raises(OSError, match="gone"):
        body.read()


def fail() -> bytes:
    msg = "gone"
    raise OSError(msg)


@pytest.mark.parametrize(
    ("method", "pieces"),
    [
        ("read", {b"ab\nc", b"d\nef"}),
        ("readline", {b"ab\n", b"cd\n"}),
        ("read1", {b"ab", b"\ncd\n"}),
    ],
)
def test_each_part_of_the_body_goes_to_one_thread_in_one_piece(
    method: str, pieces: set[bytes]
) -> None:
    """One that waits for more keeps the others from what it will get."""
    parts = iter([b"ab", b"\ncd\n", b"ef"])
    waits, go_on = threading.Event(), threading.Event()
    tries = threading.Semaphore(0)
    got: set[bytes] = set()

    class NotingLock:
        lock = threading.Lock()

        def __enter__(self) -> None:
            tries.release()
            self.lock.acquire()

        def __exit__(self, *exc_info: object) -> None:
            self.lock.release()

    def pull() -> bytes:
        waits.set()
        assert go_on.wait(timeout=60)
        return next(parts)

    body = BodyInput(pull, NotingLock())
    threads = [
        threading.Thread(target=lambda: got.add(getattr(body, method)(4)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
        assert waits.wait(timeout=60)
        assert tries.acquire(timeout=60)
    go_on.set()
    for thread in threads:
        thread.join(timeout=60)
    assert got == pieces


def test_small_reads_of_a_large_chunk_copy_only_what_they_return() -> None:
    """Reading a megabyte by the byte copies a megabyte, not its square."""
    body = body_of(bytes(1_000_000))
    assert sum(len(body.read(1)) for _ in range(50_000)) == 50_000
    assert len(body._chunk) == 1_000_000  # the very chunk, not what is left of it


def test_each_way_to_read_a_little() -> None:
    """Of one chunk and across two; said for one body, and checked above for any."""
    body = body_of(b"a\nbc\nd", b"ef\ngh")
    assert body.read1(1) == b"a"
    assert body.readlines(2) == [b"\n", b"bc\n"]
    assert body.read1(1) == b"d"
    assert body.read(3) == b"ef\n"
    assert body.read1(9) == b"gh"
    assert body.read1(9) == b""
