"""Applications of one interface as applications of another."""

from ._limits import WsgiLimits as WsgiLimits
from ._wsgi_to_asgi import WsgiToAsgi as WsgiToAsgi

__all__ = (
    "WsgiLimits",
    "WsgiToAsgi",
)
