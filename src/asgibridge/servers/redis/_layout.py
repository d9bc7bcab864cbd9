"""Where things are in Redis."""

from typing import Final, final

import attrs

from ..._options import matching, whole
from .._partitions import partition_of

__all__ = ("GROUP", "OWNER", "RedisLayout")

GROUP: Final = "workers"
# The one consumer of the group: a partition has one owner at a time, and who
# that is, its lease says.  So nothing piles up under names of processes that
# are gone.
OWNER: Final = "owner"


@final
@attrs.frozen
class RedisLayout:
    """The names of the keys of one application.

    All have the name in braces, so that a Redis Cluster keeps them in one slot,
    where one script can use them together.

    Args:
        name: The application.  Processes with the same name work together.
        partitions: Among how many streams conversations are shared out: the
            largest number of processes that can work at the same time.  It
            cannot be changed while there are messages.
    """

    name: str = attrs.field(
        default="asgibridge",
        validator=matching(r"[^{}\s]+", "a text without braces and blanks"),
    )
    partitions: int = attrs.field(default=8, validator=whole(1))

    def stream(self, partition: int) -> str:
        """Return the stream of a partition's messages."""
        return f"{{{self.name}}}:in:{partition}"

    def stream_for(self, scope_id: str) -> str:
        """Return the stream of a conversation's messages."""
        return self.stream(partition_of(scope_id, self.partitions))

    def lease(self, partition: int) -> str:
        """Return the key that says who owns a partition, until it expires."""
        return f"{{{self.name}}}:lease:{partition}"

    def term(self, partition: int) -> str:
        """Return the key that counts the owners that a partition has had."""
        return f"{{{self.name}}}:term:{partition}"

    @property
    def out(self) -> str:
        """The stream of the events that applications send."""
        return f"{{{self.name}}}:out"

    @property
    def dead(self) -> str:
        """The stream of the dead letters."""
        return f"{{{self.name}}}:dead"

    @property
    def workers(self) -> str:
        """The sorted set of the processes, by the time until which they count."""
        return f"{{{self.name}}}:workers"

    @property
    def bell(self) -> str:
        """The stream that tells processes to look at the leases at once."""
        return f"{{{self.name}}}:bell"

    @property
    def meta(self) -> str:
        """The hash with what all processes must agree on."""
        return f"{{{self.name}}}:meta"
