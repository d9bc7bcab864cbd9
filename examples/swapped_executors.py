"""One piece of code, and the executor is the caller's choice.

`Thumbnails` does not know what runs its blocking function.  In production it is
a pool; in a test, an executor that runs each call at once, or when told to.
What a race would show now and then, such a test shows each time: see
``tests/examples/test_swapped_executors.py``.
"""

from collections.abc import Callable
from typing import final

import attrs

from asgibridge import Bridge

__all__ = ("Thumbnails",)


@final
@attrs.define(eq=False)
class Thumbnails:
    """Makes each thumbnail once, off the loop.

    Args:
        bridge: Decides where blocking code runs.  It is not closed.
        render: Blocking: makes the thumbnail of a picture.
    """

    _bridge: Bridge = attrs.field(alias="bridge")
    _render: Callable[[str], bytes] = attrs.field(alias="render")
    _made: dict[str, bytes] = attrs.field(factory=dict[str, bytes], init=False)

    async def get(self, picture: str) -> bytes:
        """Return the thumbnail of *picture*.

        A picture that two tasks ask for at once is rendered for both; the first
        thumbnail that is ready is the one that stays.
        """
        if picture not in self._made:
            render = self._bridge.sync_to_async(self._render, thread_sensitive=False)
            thumbnail = await render(picture)
            self._made.setdefault(picture, thumbnail)
        return self._made[picture]
