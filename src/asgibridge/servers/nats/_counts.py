"""How often a message was delivered, for those that processes vanished with.

NATS counts what a consumer delivers, and each term has a consumer of its own.
So there is a bucket of keys that outlast them:

- ``floor.N``: how far those owners of a partition had come that vanished.  What
  is not settled up to there came to at least one of them.
- ``count.N.S``: how often message S was, with certainty, given to an application.
  It is written only for what had come to somebody before, so that messages of
  undisturbed processes cost nothing.
"""

from typing import Any, Final, final

import attrs
from nats.js import errors as js_errors

from ._connection import NatsConnection
from ._layout import NatsLayout, key_subject, stream_of

__all__ = ("Counts", "DeliveryCounts", "forget_all", "open_bucket")

# What nobody has settled for so long is not what processes vanish with.
_KEPT_SECONDS: Final = 30 * 24 * 3600.0


async def open_bucket(js: Any, layout: NatsLayout) -> Any:  # noqa: ANN401 - nats-py's
    """Find or make the bucket, and return it."""
    return await js.create_key_value(bucket=layout.counts, ttl=_KEPT_SECONDS)


async def forget_all(js: Any, layout: NatsLayout) -> None:  # noqa: ANN401 - as above
    """Forget what is known of messages of another stream: numbers begin anew."""
    await open_bucket(js, layout)
    await js.purge_stream(stream_of(layout.counts))


@final
@attrs.frozen(eq=False)
class DeliveryCounts:
    """What is known of one partition when its term begins.

    Args:
        floor: The last message that came to an owner who vanished.
        noted: How often messages were given to applications, by number.
    """

    floor: int = 0
    noted: dict[int, int] = attrs.field(factory=dict[int, int])

    def earlier(self, sequence: int) -> int:
        """Return how often a message came to others, or is noted to have come."""
        return self.noted.get(sequence, int(sequence <= self.floor))


@final
@attrs.define(eq=False)
class Counts:
    """Keeps the counts in NATS.

    Args:
        connection: To NATS.
        layout: Where things are there.
    """

    _connection: NatsConnection = attrs.field(alias="connection")
    _layout: NatsLayout = attrs.field(alias="layout")
    _bucket: Any = attrs.field(default=None, init=False)

    async def open(self) -> None:
        """Find or make the bucket."""
        self._bucket = await open_bucket(self._connection.js, self._layout)

    async def load(self, partition: int) -> DeliveryCounts:
        """Return what is known of a partition."""
        numbers = await self._numbers(partition)
        found = {one: await self._get(f"count.{partition}.{one}") for one in numbers}
        return DeliveryCounts(await self._get(f"floor.{partition}"), found)

    async def raise_floor(self, partition: int, floor: int) -> None:
        """Note how far an owner had come who vanished."""
        if floor > await self._get(f"floor.{partition}"):
            await self._bucket.put(f"floor.{partition}", str(floor).encode())

    async def note(self, partition: int, sequence: int, count: int) -> None:
        """Note how often a message was given to an application."""
        # Not the bucket's put(): the client would keep it for later if the server
        # is away.
        subject = key_subject(self._layout.counts, f"count.{partition}.{sequence}")
        await self._connection.publish(subject, str(count).encode(), {})

    async def forget(self, partition: int, sequence: int) -> None:
        """Remove the note on a message that is settled."""
        # Purged: of a key that is deleted, a mark stays.
        counts = self._layout.counts
        subject = key_subject(counts, f"count.{partition}.{sequence}")
        await self._connection.js.purge_stream(stream_of(counts), subject=subject)

    async def _get(self, key: str) -> int:
        try:
            return int((await self._bucket.get(key)).value)
        except js_errors.KeyNotFoundError:
            return 0

    async def _numbers(self, partition: int) -> list[int]:
        """Return which messages of a partition have a note."""
        counts = self._layout.counts
        info = await self._connection.js.stream_info(
            stream_of(counts),
            subjects_filter=key_subject(counts, f"count.{partition}.*"),
        )
        return [int(one.rpartition(".")[2]) for one in info.state.subjects or ()]
