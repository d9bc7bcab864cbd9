"""What an executor that takes work without futures promises beyond its type."""

import threading
from typing import ClassVar, final

import attrs
import pytest

from ...types import SupportsPost
from ._tools import SAFETY_NET, call_close, fixture_missing

__all__ = ("PostConformance",)


@final
@attrs.define(eq=False)
class _Work:
    """Work that notes which threads ran it."""

    threads: list[int] = attrs.field(factory=list[int])
    ran: threading.Event = attrs.field(factory=threading.Event)

    def run(self) -> None:
        self.threads.append(threading.get_ident())
        self.ran.set()


class PostConformance:
    """What `SupportsPost` promises beyond its type.

    Subclass it, and provide a fixture ``poster`` that yields a new executor
    with `post` for each test and closes it afterwards.

    Attributes:
        in_order: It promises to start work in the order of its posting.
    """

    in_order: ClassVar[bool] = False

    @pytest.fixture
    def poster(self) -> SupportsPost:
        """Provide the executor: yours overrides this one."""
        fixture_missing(type(self), "poster")

    def close(self, poster: SupportsPost) -> None:
        """Close it; override for executors that end in a way of their own."""
        call_close(poster)

    def test_work_runs_once_elsewhere(self, poster: SupportsPost) -> None:
        """Work is run once, on another thread than the poster's."""
        works = [_Work() for _ in range(50)]
        for work in works:
            poster.post(work)
        for work in works:
            assert work.ran.wait(SAFETY_NET)
        self.close(poster)
        threads = [thread for work in works for thread in work.threads]
        assert len(threads) == len(works)
        assert threading.get_ident() not in threads

    def test_order(self, poster: SupportsPost) -> None:
        """Work starts in the order of its posting, if that is promised."""
        if not self.in_order:
            pytest.skip("the executor does not promise an order")
        order: list[int] = []
        all_ran = threading.Event()

        @final
        @attrs.define
        class Numbered:
            number: int

            def run(self) -> None:
                order.append(self.number)
                if self.number == 49:
                    all_ran.set()

        for number in range(50):
            poster.post(Numbered(number))
        assert all_ran.wait(SAFETY_NET)
        assert order == list(range(50))

    def test_work_is_forgotten(self, poster: SupportsPost) -> None:
        """Work is dropped once it has run, without other work coming."""
        dropped = threading.Event()

        @final
        class Watched:
            def run(self) -> None:
                """Do nothing."""

            def __del__(self) -> None:
                dropped.set()

        poster.post(Watched())
        assert dropped.wait(SAFETY_NET)

    def test_post_after_close(self, poster: SupportsPost) -> None:
        """A closed executor refuses work with a RuntimeError, and drops it."""
        work = _Work()
        self.close(poster)
        with pytest.raises(RuntimeError):
            poster.post(work)
        assert work.threads == []
