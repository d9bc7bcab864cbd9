"""What an ASGI server runs: ``uvicorn shop.asgi:application``.

Without ASGIBRIDGE_EXAMPLE_ORIGINAL, for the benchmark, asgibridge stands in for
asgiref.  In a project of yours it is the one line in the middle.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

if not os.environ.get("ASGIBRIDGE_EXAMPLE_ORIGINAL"):
    from asgibridge.compat import install_as_asgiref

    install_as_asgiref()

from django.core.asgi import get_asgi_application

application = get_asgi_application()
