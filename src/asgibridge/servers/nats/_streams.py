"""The streams of an application in NATS JetStream."""

from typing import Any, Final

from nats.js import api, errors as js_errors

from ...errors import SourceError
from ._counts import forget_all
from ._layout import NatsLayout

__all__ = ("open_streams",)

_MAX_OUT: Final = 100_000


async def open_streams(
    js: Any,  # noqa: ANN401 - nats-py's context, see NatsConnection
    layout: NatsLayout,
    *,
    create: bool,
) -> None:
    """Find the streams, or make them.

    Raises:
        SourceError: If they are not there and not to be made, or are made for
            another number of partitions.
    """
    try:
        info = await js.stream_info(layout.stream)
    except js_errors.NotFoundError:
        if not create:
            msg = (
                f"there is no stream {layout.stream!r} in this NATS: check the"
                " name and the account, or let it be created"
            )
            raise SourceError(msg) from None
        await _create_streams(js, layout)
        return
    found = info.config.description
    if found != layout.description:
        msg = (
            f"the stream {layout.stream!r} is made for {found!r}, not for"
            f" {layout.description!r}: use that number, or another name"
        )
        raise SourceError(msg)


async def _create_streams(js: Any, layout: NatsLayout) -> None:  # noqa: ANN401 - as above
    await js.add_stream(
        name=layout.out_stream, subjects=[layout.out], max_msgs=_MAX_OUT
    )
    await js.add_stream(name=layout.dead_stream, subjects=[layout.dead])
    await forget_all(js, layout)
    # Last: who finds it, finds all.
    await js.add_stream(
        name=layout.stream,
        description=layout.description,
        subjects=[layout.subjects],
        retention=api.RetentionPolicy.WORK_QUEUE,
    )
