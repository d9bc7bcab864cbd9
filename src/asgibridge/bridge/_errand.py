"""One coroutine that an actor runs for a blocked thread."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Generic, TypeVar, final

from ..errors import LoopStoppedError
from ..executors import CurrentThreadExecutor
from ._context import write_back
from ._engine import Engine
from ._places import Frame
from ._tokens import Tokens

__all__ = ("Errand", "Wait")

T = TypeVar("T")


@final
class Wait:
    """One wait of a blocked thread, for an errand or for news of it."""

    __slots__ = ("_check", "executor", "is_done")

    def __init__(
        self, executor: CurrentThreadExecutor, check: Callable[[], None]
    ) -> None:
        self.executor = executor
        self._check = check
        self.is_done = False

    def run(self) -> None:
        """Do nothing: being taken from the inbox is all it is for."""

    def check(self) -> None:
        """Raise if the loop no longer runs."""
        self._check()


@final
class Errand(Generic[T]):
    """One coroutine that an `Actor` is to run."""

    __slots__ = (
        "_args",
        "_changes",
        "_context",
        "_exception",
        "_fn",
        "_known",
        "_result",
        "frame",
        "is_done",
        "is_recalled",
        "waiting",
    )

    def __init__(
        self,
        frame: Frame,
        context: Context,
        known: Context,
        fn: Callable[..., Awaitable[T]],
        args: tuple[object, ...],
    ) -> None:
        self._fn = fn
        self._args = args
        self._context = context
        self._known = known
        # What it has changed: the context after it, and the one before it.
        self._changes: tuple[Context, Context] | None = None
        self._result: T
        self._exception: BaseException | None = None
        self.frame = frame
        self.waiting: Wait | None = None
        self.is_recalled = False
        self.is_done = False

    # -- on the loop --

    async def serve(self, engine: Engine) -> None:
        """Run the coroutine, in the actor's task."""
        write_back(self._context, self._known)
        token = engine.affinity.set(self.frame)
        before = copy_context()
        try:
            if self.is_recalled:
                raise CancelledError  # as if it had been running
            self._result = await self._fn(*self._args)
        except GeneratorExit:
            self._exception = LoopStoppedError("the event loop was closed meanwhile")
            raise
        except BaseException as exc:  # noqa: BLE001  # the waiting thread gets it
            traceback = exc.__traceback__
            self._exception = exc.with_traceback(traceback and traceback.tb_next)
            del exc, traceback
        finally:
            self._changes = copy_context(), before
            engine.affinity.reset(token)
            self._end()

    def refuse(self, exception: BaseException) -> None:
        """End with *exception* instead of running the coroutine."""
        self._exception = exception
        self._end()

    def _end(self) -> None:
        self._args = ()
        self.is_done = True
        self.tell()

    def tell(self) -> None:
        """Have the waiting thread look, if one waits."""
        # What there is to see was there before; the thread looks once more
        # after it has put its wait here.
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.is_done = True
            waiting.executor.wake(waiting)

    # -- on the thread --

    @property
    def is_ok(self) -> bool:
        """Whether it is done, and has not raised."""
        return self.is_done and self._exception is None

    def take(self, tokens: Tokens) -> T:
        """Take over what was changed; return the result or raise."""
        self.frame.close()
        if self._changes is not None:
            tokens.take_over(*self._changes)
        exception, self._exception = self._exception, None
        if exception is None:
            return self._result
        try:
            raise exception
        finally:
            del exception, self  # no cycle through this frame
