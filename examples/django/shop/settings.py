"""Settings for an example; none for the internet."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "of an example"  # noqa: S105  # nothing is secret here
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
# The paths of the views decide about middleware: see middleware.py.
MIDDLEWARE = [
    "shop.middleware.async_middleware",
    "shop.middleware.SyncMiddleware",
]
if os.environ.get("ASGIBRIDGE_EXAMPLE_MIDDLEWARE") == "none":
    MIDDLEWARE = []
elif os.environ.get("ASGIBRIDGE_EXAMPLE_MIDDLEWARE") == "seven":
    # What `django-admin startproject` puts there.
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    INSTALLED_APPS += ["django.contrib.sessions", "django.contrib.messages"]

ROOT_URLCONF = "shop.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("ASGIBRIDGE_EXAMPLE_DATABASE", BASE_DIR / "db.sqlite3"),
        # Threads outlive requests, and so do their connections.
        "CONN_MAX_AGE": 60,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
