"""Applications of one interface as applications of another."""

from ._asgi2 import (
    ASGI2App as ASGI2App,
    Asgi2ToAsgi3 as Asgi2ToAsgi3,
    is_asgi2 as is_asgi2,
)
from ._asgi_decorators import (
    asgi_app as asgi_app,
    asgi_method as asgi_method,
    http_app as http_app,
    lifespan_app as lifespan_app,
    websocket_app as websocket_app,
)
from ._asgi_to_wsgi import AsgiToWsgi as AsgiToWsgi
from ._checking import (
    CheckOutcome as CheckOutcome,
    CheckReport as CheckReport,
    check_app as check_app,
    report_as_json as report_as_json,
    report_as_junit as report_as_junit,
    report_as_text as report_as_text,
)
from ._limits import WsgiLimits as WsgiLimits
from ._narrowing import (
    is_bytes_message as is_bytes_message,
    is_text_message as is_text_message,
    message_data as message_data,
    offered_extension as offered_extension,
)
from ._scope_key import ScopeKey as ScopeKey
from ._validation import (
    RULES as RULES,
    ASGIValidator as ASGIValidator,
    Conversation as Conversation,
    Profile as Profile,
    Rule as Rule,
    Side as Side,
    Violation as Violation,
    open_conversation as open_conversation,
    protocol_diagrams as protocol_diagrams,
)
from ._wsgi_to_asgi import WsgiToAsgi as WsgiToAsgi

__all__ = (
    "RULES",
    "ASGI2App",
    "ASGIValidator",
    "Asgi2ToAsgi3",
    "AsgiToWsgi",
    "CheckOutcome",
    "CheckReport",
    "Conversation",
    "Profile",
    "Rule",
    "ScopeKey",
    "Side",
    "Violation",
    "WsgiLimits",
    "WsgiToAsgi",
    "asgi_app",
    "asgi_method",
    "check_app",
    "http_app",
    "is_asgi2",
    "is_bytes_message",
    "is_text_message",
    "lifespan_app",
    "message_data",
    "offered_extension",
    "open_conversation",
    "protocol_diagrams",
    "report_as_json",
    "report_as_junit",
    "report_as_text",
    "websocket_app",
)
