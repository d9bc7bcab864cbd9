"""The TLS extension of ASGI as the variables that web servers set."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ("add_tls",)

_PROTOCOLS: Final = {
    0x0300: "SSLv3",
    0x0301: "TLSv1",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}


def add_tls(environ: dict[str, object], tls: Mapping[str, Any]) -> None:
    """Add ``HTTPS`` and the ``SSL_*`` variables under mod_ssl's names.

    ``SSL_CLIENT_VERIFY`` is ``SUCCESS``, ``NONE`` (no certificate given) or
    ``FAILED:`` with the reason.
    """
    environ["HTTPS"] = "on"
    protocol = _PROTOCOLS.get(tls.get("tls_version") or 0)
    if protocol is not None:
        environ["SSL_PROTOCOL"] = protocol
    if tls.get("server_cert"):
        environ["SSL_SERVER_CERT"] = tls["server_cert"]
    _add_client(environ, tls)


def _add_client(environ: dict[str, object], tls: Mapping[str, Any]) -> None:
    chain: Iterable[str] = tls.get("client_cert_chain") or ()
    for number, certificate in enumerate(chain, -1):
        if number < 0:
            environ["SSL_CLIENT_CERT"] = certificate
        else:
            environ[f"SSL_CLIENT_CERT_CHAIN_{number}"] = certificate
    name: str | None = tls.get("client_cert_name")
    if name:
        environ["SSL_CLIENT_S_DN"] = name
    error: str | None = tls.get("client_cert_error")
    if error:
        environ["SSL_CLIENT_VERIFY"] = f"FAILED:{error}"
    else:
        given = name or "SSL_CLIENT_CERT" in environ
        environ["SSL_CLIENT_VERIFY"] = "SUCCESS" if given else "NONE"
