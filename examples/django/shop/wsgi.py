"""What a WSGI server runs, for comparison: ``gunicorn shop.wsgi``."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402  # the settings come first

application = get_wsgi_application()
