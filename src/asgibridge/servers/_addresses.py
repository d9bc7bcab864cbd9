"""From an address to the source and sink that it names."""

from typing import final
from urllib.parse import urlsplit

import attrs

from ..errors import SourceError
from ..types import MessageSink, MessageSource
from ._codec import LineCodec
from ._lines import LineSink, LineSource
from ._stdio import open_stdin, open_stdout
from ._tcp import TcpSink, TcpSource

__all__ = ("StreamOptions", "open_streams")


@final
@attrs.frozen(kw_only=True)
class StreamOptions:
    """What sources and sinks of an address are told; each uses what it knows.

    Args:
        name: The application, in Redis or NATS.
        partitions: Among how many conversations are shared out there.
        lease_seconds: How long a process may be silent before others take over.
        create: Whether streams are made if they are not there.
        writes_json: Whether lines are written as JSON objects.
    """

    name: str = "asgibridge"
    partitions: int = 8
    lease_seconds: float = 15.0
    create: bool = True
    writes_json: bool = False


def open_streams(
    address: str, options: StreamOptions | None = None
) -> tuple[MessageSource, MessageSink]:
    """Return the source and the sink for an address; nothing is connected yet.

    ``-`` is standard input and output, ``tcp://host:port`` listens there,
    ``redis://…``, ``rediss://…`` and ``unix://…`` are Redis servers, ``nats://…``
    and ``tls://…`` NATS servers.

    Raises:
        SourceError: If the address has no meaning, or its extra is not
            installed.
    """
    options = options or StreamOptions()
    scheme = address if address == "-" else urlsplit(address).scheme
    if scheme == "-":
        return _standard(options)
    if scheme == "tcp":
        return _tcp(address, options)
    try:
        if scheme in {"redis", "rediss", "unix"}:
            return _redis(address, options)
        if scheme in {"nats", "tls"}:
            return _nats(address, options)
    except ModuleNotFoundError as exc:
        extra = "nats" if scheme in {"nats", "tls"} else "redis"
        msg = f"{address!r} needs {exc.name}: pip install 'asgibridge[{extra}]'"
        raise SourceError(msg) from exc
    except ValueError as exc:
        # From attrs: the text is followed by the attribute and its value.
        msg = f"cannot use {options!r}: {exc.args[0]}"
        raise SourceError(msg) from exc
    msg = (
        f"{address!r} names no source: use - for standard input, tcp://host:port,"
        " redis://host:port or nats://host:port"
    )
    raise SourceError(msg)


def _standard(options: StreamOptions) -> tuple[MessageSource, MessageSink]:
    codec = LineCodec(writes_json=options.writes_json)
    source = LineSource(open_stdin, codec=codec)
    return source, LineSink(open_stdout, source, codec=codec)


def _tcp(address: str, options: StreamOptions) -> tuple[MessageSource, MessageSink]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:  # the port is no number
        host, port = None, None
    if host is None or port is None:
        msg = f"{address!r} is no address to listen on: use tcp://host:port"
        raise SourceError(msg)
    codec = LineCodec(is_named=False, writes_json=options.writes_json)
    source = TcpSource(host, port, codec)
    return source, TcpSink(source)


def _redis(address: str, options: StreamOptions) -> tuple[MessageSource, MessageSink]:
    # Not at the top: redis-py belongs to an extra.
    from .redis import (  # noqa: PLC0415 - see the line above
        RedisConnection,
        RedisLayout,
        RedisSink,
        RedisSource,
    )

    layout = RedisLayout(options.name, options.partitions)
    source = RedisSource(
        RedisConnection(address),
        layout,
        lease_seconds=options.lease_seconds,
        create=options.create,
    )
    return source, RedisSink(source.connection, layout)


def _nats(address: str, options: StreamOptions) -> tuple[MessageSource, MessageSink]:
    # Not at the top: nats-py belongs to an extra.
    from .nats import (  # noqa: PLC0415 - see the line above
        NatsConnection,
        NatsLayout,
        NatsSink,
        NatsSource,
    )

    source = NatsSource(
        NatsConnection(address),
        NatsLayout(options.name, options.partitions),
        lease_seconds=options.lease_seconds,
        create=options.create,
    )
    return source, NatsSink(source)
