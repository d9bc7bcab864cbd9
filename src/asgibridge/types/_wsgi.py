"""WSGI (PEP 3333), on top of the standard library's `wsgiref.types`."""

from wsgiref.types import (
    ErrorStream,
    FileWrapper,
    InputStream,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)

__all__ = (
    "ErrorStream",
    "FileWrapper",
    "InputStream",
    "StartResponse",
    "WSGIApplication",
    "WSGIEnvironment",
)
