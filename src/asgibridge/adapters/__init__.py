"""Applications of one interface as applications of another."""

from ._asgi2 import (
    ASGI2App as ASGI2App,
    Asgi2ToAsgi3 as Asgi2ToAsgi3,
    is_asgi2 as is_asgi2,
)
from ._asgi_to_wsgi import AsgiToWsgi as AsgiToWsgi
from ._limits import WsgiLimits as WsgiLimits
from ._wsgi_to_asgi import WsgiToAsgi as WsgiToAsgi

__all__ = (
    "ASGI2App",
    "Asgi2ToAsgi3",
    "AsgiToWsgi",
    "WsgiLimits",
    "WsgiToAsgi",
    "is_asgi2",
)
