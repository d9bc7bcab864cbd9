"""asgiref's functions keep parameters and results.  Checked, never run."""

from typing import assert_type

from asgibridge import Bridge
from asgibridge.compat import configure, default_bridge
from asgibridge.compat.sync import async_to_sync, sync_to_async


def load(number: int, *, upper: bool = False) -> str:
    raise NotImplementedError


async def aload(number: int, *, upper: bool = False) -> str:
    raise NotImplementedError


async def crossings() -> None:
    assert_type(await sync_to_async(load)(1, upper=True), str)
    assert_type(await sync_to_async(thread_sensitive=False)(load)(1), str)
    assert_type(async_to_sync(aload)(1, upper=True), str)
    assert_type(async_to_sync(force_new_loop=True)(aload)(1), str)
    await sync_to_async(load)("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not an int
    async_to_sync(load)(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not async


assert_type(default_bridge(), Bridge)
configure(Bridge(), abandon_on_cancel=False)
