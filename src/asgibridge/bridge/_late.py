"""Outcomes that nobody waits for any more."""

import logging
from asyncio import AbstractEventLoop, CancelledError
from typing import Final

__all__ = ("report_late",)

_logger: Final = logging.getLogger("asgibridge")


def report_late(
    call: object, exception: BaseException | None, loop: AbstractEventLoop | None
) -> None:
    """Report the exception of an abandoned call, once.

    It goes to the loop's exception handler, or to the log where the loop is
    closed.
    """
    if exception is None or isinstance(exception, CancelledError):
        return
    message = f"{call} raised after its caller had stopped waiting for it"
    if loop is not None and not loop.is_closed():
        loop.call_exception_handler({"message": message, "exception": exception})
    else:
        _logger.error(message, exc_info=exception)
