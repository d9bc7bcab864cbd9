"""Settings for an example; none for the internet."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "of an example"  # noqa: S105  # nothing is secret here
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]

# Which middleware there is, the benchmark chooses; by itself, that of middleware.py.
_CHOICE = os.environ.get("ASGIBRIDGE_EXAMPLE_MIDDLEWARE", "")
_CHOICES = {
    "none": [],
    # What `django-admin startproject` puts there.
    "seven": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
}
_NEEDED = {"seven": ["django.contrib.sessions", "django.contrib.messages"]}

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "shop",
    *_NEEDED.get(_CHOICE, []),
]
MIDDLEWARE = _CHOICES.get(
    _CHOICE,
    ["shop.middleware.async_middleware", "shop.middleware.SyncMiddleware"],
)

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
