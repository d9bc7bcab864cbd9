"""Where things are in NATS JetStream."""

from typing import final

import attrs

from ..._options import matching, whole
from .._partitions import partition_of

__all__ = ("NatsLayout", "key_subject", "stream_of")


def stream_of(bucket: str) -> str:
    """Return the stream that is a bucket of keys."""
    return f"KV_{bucket}"


def key_subject(bucket: str, key: str) -> str:
    """Return the subject that is a key, or several, of a bucket."""
    return f"$KV.{bucket}.{key}"


@final
@attrs.frozen
class NatsLayout:
    """The names of the streams and subjects of one application.

    Args:
        name: The application.  Processes with the same name work together.
        partitions: Among how many subjects conversations are shared out: the
            largest number of processes that can work at the same time.  It
            cannot be changed while there are messages.
    """

    name: str = attrs.field(
        default="asgibridge",
        validator=matching(r"[A-Za-z0-9_-]+", "a text of letters, digits, _ and -"),
    )
    partitions: int = attrs.field(default=8, validator=whole(1))

    @property
    def stream(self) -> str:
        """The work queue with all messages."""
        return f"{self.name}-in"

    @property
    def subjects(self) -> str:
        """The subjects of all partitions."""
        return f"{self.name}.in.*"

    def subject(self, partition: int) -> str:
        """Return the subject of a partition's messages."""
        return f"{self.name}.in.{partition}"

    def subject_for(self, scope_id: str) -> str:
        """Return the subject of a conversation's messages."""
        return self.subject(partition_of(scope_id, self.partitions))

    def consumers(self, partition: int) -> str:
        """Return how the names of a partition's consumers begin.

        The number of the term follows, so that nothing that an earlier owner
        acknowledges has an effect on what its successor holds.
        """
        return f"{self.name}-{partition}-term-"

    @property
    def out(self) -> str:
        """The subject of the events that applications send."""
        return f"{self.name}.out"

    @property
    def out_stream(self) -> str:
        """The stream that keeps them."""
        return f"{self.name}-out"

    @property
    def dead(self) -> str:
        """The subject of the dead letters."""
        return f"{self.name}.dead"

    @property
    def dead_stream(self) -> str:
        """The stream that keeps them."""
        return f"{self.name}-dead"

    @property
    def leases(self) -> str:
        """The bucket of keys that says who is alive and who owns what."""
        return f"{self.name}-leases"

    @property
    def counts(self) -> str:
        """The bucket of keys that says what came to processes that vanished."""
        return f"{self.name}-counts"

    @property
    def bell(self) -> str:
        """The subject that tells processes to look at the leases at once."""
        return f"{self.name}.bell"

    @property
    def description(self) -> str:
        """What all processes must agree on; kept with the stream."""
        return f"asgibridge: {self.partitions} partitions"
