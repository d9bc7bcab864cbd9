"""A WSGI application as an ASGI application."""

import asyncio
import contextvars
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, final
from wsgiref.types import ErrorStream

import attrs

from ..errors import UnsupportedScopeError
from ..types import BlockingExecutor, SupportsPost, WSGIApplication
from ._asgi import Receive, Scope, Send
from ._environ import EnvironBuilder
from ._header_names import ResponseHeaderNames
from ._hub import Hub
from ._inbox import Inbox
from ._limits import WsgiLimits
from ._line import Line
from ._outbox import Outbox
from ._refusals import refusal
from ._request_headers import UnderscorePolicy
from ._response import WsgiResponse
from ._wsgi_task import serve
from ._wsgi_work import WsgiWork

