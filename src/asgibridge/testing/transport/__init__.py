"""httpx clients that talk to an ASGI application in this process.

::

    async with httpx.AsyncClient(
        transport=ASGITransport(app), base_url="http://testserver"
    ) as client:
        response = await client.get("/")

Needs httpx: ``pip install 'asgibridge[testing]'``.
"""

from ._factory import ClientFactory as ClientFactory
from ._lifespan import Lifespan as Lifespan
from ._sync import SyncASGITransport as SyncASGITransport
from ._transport import ASGITransport as ASGITransport

__all__ = ("ASGITransport", "ClientFactory", "Lifespan", "SyncASGITransport")
