"""Telling observers about crossings."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from threading import get_ident
from time import monotonic
from typing import Any, Final, TypeVar, final

import attrs

from ..loops import running_loop_or_none
from ..types import Crossing, Direction, Observer

__all__ = ("CrossingRecord", "Observation", "Observed")

T = TypeVar("T")

_logger: Final = logging.getLogger("asgibridge")


@final
@attrs.define(eq=False, weakref_slot=True)
class CrossingRecord:
    """One crossing, as observers see it; see `asgibridge.types.Crossing`."""

    direction: Direction
    function: Callable[..., Any]
    parent: "CrossingRecord | None"
    caller_thread: int
    caller_loop: int | None
    queued_at: float
    thread: int | None = None
    loop: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    exception: BaseException | None = None


@final
class Observation:
    """The observers of one bridge, and what crossing the current code is in."""

    __slots__ = ("_current", "_observers", "is_on")

    def __init__(self, observers: tuple[Observer, ...], name: str) -> None:
        self._observers = observers
        # Whether there is anybody to be told.
        self.is_on: bool = bool(observers)
        self._current: ContextVar[CrossingRecord | None] = ContextVar(
            f"{name}.crossing", default=None
        )

    def queued(
        self, direction: Direction, function: Callable[..., Any]
    ) -> CrossingRecord:
        """Record a call that is made here and now."""
        loop = running_loop_or_none()
        record = CrossingRecord(
            direction,
            function,
            self._current.get(),
            get_ident(),
            None if loop is None else id(loop),
            monotonic(),
        )
        for observer in self._observers:
            _tell(observer.queued, record)
        return record

    def stuck(self, record: Crossing, seconds: float, behind: str) -> None:
        """Tell that a call waits long to be started."""
        for observer in self._observers:
            try:
                observer.stuck(record, seconds, behind)
            except Exception:
                _logger.exception("an observer failed: %r", observer)

    def run(
        self,
        record: CrossingRecord,
        fn: Callable[..., T],
        /,
        *args: Any,  # noqa: ANN401  # the user's
        **kwargs: Any,  # noqa: ANN401  # the user's
    ) -> T:
        """Call the blocking function of *record*, on its own thread."""
        token = self._current.set(record)
        self._started(record)
        try:
            return fn(*args, **kwargs)
        except BaseException as exc:
            record.exception = exc
            raise
        finally:
            self._finished(record)
            self._current.reset(token)

    async def run_async(
        self,
        record: CrossingRecord,
        fn: Callable[..., Awaitable[T]],
        /,
        *args: Any,  # noqa: ANN401  # the user's
        **kwargs: Any,  # noqa: ANN401  # the user's
    ) -> T:
        """Await the async function of *record*, on its own loop."""
        token = self._current.set(record)
        loop = running_loop_or_none()
        record.loop = None if loop is None else id(loop)
        self._started(record)
        try:
            return await fn(*args, **kwargs)
        except BaseException as exc:
            record.exception = exc
            raise
        finally:
            self._finished(record)
            self._current.reset(token)

    def _started(self, record: CrossingRecord) -> None:
        record.thread = get_ident()
        record.started_at = monotonic()
        for observer in self._observers:
            _tell(observer.started, record)

    def _finished(self, record: CrossingRecord) -> None:
        record.finished_at = monotonic()
        for observer in self._observers:
            _tell(observer.finished, record)
        record.exception = None  # no cycle, and nothing kept alive by the record


@final
@attrs.frozen(eq=False)
class Observed:
    """The function of a record; calling it tells the observers."""

    _run: Callable[..., Any]
    record: CrossingRecord

    @property
    def func(self) -> Callable[..., Any]:
        """The user's function."""
        return self.record.function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # user's
        return self._run(self.record, self.record.function, *args, **kwargs)


def _tell(method: Callable[[Crossing], None], record: CrossingRecord) -> None:
    try:
        method(record)
    except Exception:
        _logger.exception("an observer failed: %r", method)
