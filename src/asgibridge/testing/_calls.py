"""A call that an executor has accepted and has not run yet."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, final

import attrs

__all__ = ("PendingCall", "drop_call", "run_call")


@final
@attrs.frozen(eq=False)
class PendingCall:
    """A call that waits in a `ManualExecutor`, with all that is known of it.

    Attributes:
        function: What will be called.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        future: What the submitter was given.
        submitter: The thread that submitted it (`threading.get_ident`).
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    future: "Future[Any]" = attrs.field(factory=Future[Any])
    submitter: int = attrs.field(factory=threading.get_ident)


def run_call(call: PendingCall) -> None:
    """Run *call* on this thread, unless its future was cancelled."""
    future = call.future
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call.function(*call.args, **call.kwargs)
    except BaseException as exc:  # noqa: BLE001 - whoever waits for the future owns it
        # The traceback refers to this frame: what the frame refers to must not
        # lead back to the exception, or it waits for the collector.
        future.set_exception(exc)
        del call, future
    else:
        future.set_result(result)


def drop_call(call: PendingCall) -> None:
    """Cancel the future, and tell those who wait for it among others."""
    call.future.cancel()
    call.future.set_running_or_notify_cancel()
