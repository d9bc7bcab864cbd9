"""Settings of `channels_site.py`."""

import os

SECRET_KEY = "of a test"  # noqa: S105  # nothing is secret here
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "channels_site"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["CHANNELS_SITE_DATABASE"],
        "OPTIONS": {"timeout": 60},  # seconds, for requests that write at once
    }
}
USE_TZ = True
