"""The deprecated ``asgiref.timeout``; use `asyncio.timeout`."""

import asyncio
import warnings
from types import TracebackType
from typing import Self

__all__ = ("timeout",)


class timeout:  # noqa: N801  # asgiref's name
    """Cancels the block that it is around when the time is over.

    ``async with`` or ``with``, inside a task.  The block then ends with
    `TimeoutError`.

    Args:
        timeout: In seconds; None sets no limit.
        loop: The running loop, which need not be given.

    Raises:
        RuntimeError: On entry, outside of a task.
    """

    def __init__(
        self,
        timeout: float | None,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        warnings.warn(
            "asgiref.timeout.timeout is deprecated. Use asyncio.timeout() instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        if loop is not None:
            warnings.warn(
                "The loop argument to timeout() is deprecated.",
                DeprecationWarning,
                stacklevel=2,
            )
        self._loop = loop or asyncio.get_running_loop()
        self._timeout = timeout
        self._deadline: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._alarm: asyncio.Handle | None = None
        self._cancelling = 0
        self._is_expired = False

    def __enter__(self) -> Self:
        if self._timeout is None:
            return self
        self._task = asyncio.current_task(self._loop)
        if self._task is None:
            msg = "Timeout context manager should be used inside a task"
            raise RuntimeError(msg)
        self._cancelling = self._task.cancelling()
        if self._timeout <= 0:
            self._alarm = self._loop.call_soon(self._expire)
        else:
            self._deadline = self._loop.time() + self._timeout
            self._alarm = self._loop.call_at(self._deadline, self._expire)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        task, self._task = self._task, None
        if task is None or not self._is_expired:
            return
        # Somebody else's cancellation goes first.
        if (
            task.uncancel() <= self._cancelling
            and exc_type is not None
            and issubclass(exc_type, asyncio.CancelledError)
        ):
            raise TimeoutError from exc_val

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc_val, exc_tb)

    @property
    def expired(self) -> bool:
        """Whether the time was over before the block ended."""
        return self._is_expired

    @property
    def remaining(self) -> float | None:
        """The seconds that are left; None where there is no limit."""
        if self._deadline is None:
            return None
        if self._is_expired:  # which uvloop says a little early
            return 0.0
        return max(self._deadline - self._loop.time(), 0.0)

    def _expire(self) -> None:
        if self._task is not None:
            self._is_expired = True
            self._task.cancel()
