"""Async code for blocking callers."""

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, final

import attrs

from ..errors import RunningLoopError
from ..executors import name_of
from ..loops import running_loop_or_none
from ._engine import Engine
from ._hosted import HostedCall
from ._observation import Observed
from ._outermost import OutermostCall

__all__ = ("AsyncToSync",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.frozen(eq=False)
class AsyncToSync:
    """Makes blocking functions of async ones, all with the same options."""

    _engine: Engine
    _force_new_loop: bool
    _helper_loop: bool

    def bind(self, fn: Callable[P, Awaitable[T]]) -> Callable[P, T]:
        """Return a blocking function that runs *fn* on the right loop.

        Without the name and the documentation of *fn*.
        """
        engine, observation = self._engine, self._engine.observation
        is_observed = observation.is_on
        may_host, refuses_loop = not self._force_new_loop, not self._helper_loop

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if refuses_loop and running_loop_or_none() is not None:
                raise _running_loop_error(fn)
            function: Callable[..., Awaitable[T]] = fn
            if is_observed:
                record = observation.queued("async_to_sync", fn)
                function = Observed(observation.run_async, record)
            state = engine.threads.state
            outer = state.call
            inner: HostedCall[T] | OutermostCall[T]
            if outer is not None and may_host and outer.can_host:
                outer.check_cancelled()
                inner = HostedCall(engine, outer, state, function, args, kwargs)
            else:
                inner = OutermostCall(engine, state, function, args, kwargs)
            inner.wait()
            exception = inner.exception
            if exception is None:
                return inner.returned
            try:
                inner.exception = None
                raise exception
            finally:
                del exception  # no cycle through this frame

        return call


def _running_loop_error(fn: Callable[..., Any]) -> RunningLoopError:
    msg = (
        f"async_to_sync({name_of(fn)}) was called on a thread that runs an event "
        f"loop, and would block it: await {name_of(fn)} there, or wrap it with "
        f"helper_loop=True to block the loop on purpose"
    )
    return RunningLoopError(msg)
