"""f: crossings under many context variables that are none of their business."""

from contextvars import ContextVar, copy_context
from typing import Final

from .._batches import blocking, nothing, nothing_async, one_by_one
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Scenario, Target
from ..libraries import (
    ANYIO,
    ANYIO_RUN,
    ASGIREF,
    EXECUTOR,
    IN_THREAD,
    OURS,
    RUNNER,
    ToAsync,
    ToSync,
)

__all__ = ("SCENARIOS",)

VARIABLES: Final = tuple(ContextVar[object](f"unrelated_{n}") for n in range(1000))
_NO_DEARER: Final = 1 / 1.1  # "within 10 %"


def _set_all() -> None:
    for variable in VARIABLES:
        variable.set(object())


def _change_one() -> None:
    VARIABLES[0].set(object())


def _with_none(toolkit: ToAsync, host: Host) -> Batch:
    return one_by_one(host, toolkit.sync_to_async(nothing))


def _with_all(toolkit: ToAsync, host: Host) -> Batch:
    return one_by_one(host, toolkit.sync_to_async(nothing), prepare=_set_all)


def _changing(toolkit: ToAsync, host: Host) -> Batch:
    return one_by_one(host, toolkit.sync_to_async(_change_one), prepare=_set_all)


def _outermost(toolkit: ToSync, host: Host) -> Batch:
    del host
    context = copy_context()
    context.run(_set_all)
    batch = blocking(toolkit.async_to_sync(nothing_async))
    return lambda count: context.run(batch, count)


def _outermost_with_none(toolkit: ToSync, host: Host) -> Batch:
    del host
    return blocking(toolkit.async_to_sync(nothing_async))


_BARE = ", no variables"

SCENARIOS = (
    Scenario(
        "f",
        "async→sync with 1,000 context variables, unchanged",
        (
            *contend((OURS, ASGIREF, EXECUTOR, ANYIO), _with_all),
            *contend((OURS,), _with_none, suffix=_BARE),
        ),
        (
            Target("asgibridge", 17),
            Target(
                "asgibridge", _NO_DEARER, f"asgibridge{_BARE}", ("pin", "split", "free")
            ),
        ),
    ),
    Scenario(
        "f-changed",
        "async→sync with 1,000 context variables, one changed",
        contend((OURS, ASGIREF), _changing),
        (Target("asgibridge", 2.8),),
    ),
    Scenario(
        "f-outermost",
        "sync→async without a loop, 1,000 context variables, unchanged",
        (
            *contend((OURS, IN_THREAD, ASGIREF, RUNNER, ANYIO_RUN), _outermost),
            *contend((OURS, IN_THREAD), _outermost_with_none, suffix=_BARE),
        ),
        (
            Target("asgibridge", 50),
            Target("asgibridge, in thread", 50),
            Target(
                "asgibridge", _NO_DEARER, f"asgibridge{_BARE}", ("pin", "split", "free")
            ),
            Target(
                "asgibridge, in thread",
                _NO_DEARER,
                f"asgibridge, in thread{_BARE}",
                ("pin", "split", "free"),
            ),
        ),
    ),
)
