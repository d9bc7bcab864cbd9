"""The rules that can be broken, by name.

Names are those of the fact table wherever it has the rule.  The column in the
middle is the most lenient profile that enforces the rule, the last one where
the rule is written.
"""

from typing import Final, final

import attrs

from ._profiles import Profile

__all__ = ("RULES", "Rule")

_PRACTICE, _SPEC, _STRICT = Profile.PRACTICE, Profile.SPEC, Profile.STRICT


@final
@attrs.frozen
class Rule:
    """One rule of the specification.

    Args:
        name: Identifies the rule, in reports and tests.
        profile: The most lenient profile that enforces it.
        text: What is right, as it follows a semicolon in a message.
        source: Where it is written: file and lines, or an issue.
    """

    name: str
    profile: Profile
    text: str
    source: str


# fmt: off
_TABLE: Final[tuple[tuple[str, Profile, str, str], ...]] = (
    # values
    ("value.hostile", _PRACTICE, "plain dicts, lists, str, bytes, int and bool are expected", "specs/asgi.rst:139-150"),
    ("value.type", _PRACTICE, "the type has to be that of the specification", "specs/asgi.rst:276-279"),
    ("value.missing", _PRACTICE, "the key is required", "specs/asgi.rst:276-279"),
    ("value.none", _PRACTICE, "leave the key out instead of giving None", "specs/asgi.rst:276-279"),
    ("value.none_unstated", _STRICT, "leave the key out: None is not named as a value", "specs/asgi.rst:276-279"),
    ("value.int_range", _SPEC, "integers are signed 64-bit", "specs/asgi.rst:139-150"),
    ("value.keys", _SPEC, "the keys of a dict are str", "specs/asgi.rst:346-354"),
    # headers
    ("headers.pairs", _PRACTICE, "headers are an iterable of pairs (name, value)", "specs/www.rst:205-210"),
    ("headers.bytes", _PRACTICE, "names and values of headers are bytes", "specs/www.rst:559-562"),
    ("resp.headers.lowercase", _SPEC, "names of headers are in lower case", "specs/www.rst:205-210"),
    ("resp.headers.no_pseudo", _SPEC, "names of headers do not start with ':'", "specs/www.rst:205-210"),
    ("scope.headers.lowercase", _STRICT, "names of headers are in lower case", "specs/www.rst:119-128"),
    ("scope.headers.no_pseudo", _SPEC, "pseudo-headers are taken out", "specs/www.rst:119-128"),
    ("accept.no_subprotocol_header", _SPEC, "choose it with the key 'subprotocol'", "specs/www.rst:388-396"),
    # scopes
    ("scope.is_dict", _PRACTICE, "the scope is a dict with a str under 'type'", "specs/asgi.rst:180-186"),
    ("scope.asgi", _SPEC, "a scope has a dict under 'asgi' (test clients leave it out: use Profile.PRACTICE with them)", "specs/asgi.rst:182-190"),
    ("scope.asgi_version", _STRICT, "writers say which version of ASGI it is", "specs/asgi.rst:182-186"),
    ("scope.spec_version", _SPEC, "a version is digits, a full stop and digits", "specs/www.rst:92-94"),
    ("scope.spec_version_known", _STRICT, "no such version of this protocol is known", "specs/www.rst:15-31"),
    ("scope.unknown_type", _STRICT, "an application raises for scope types it does not handle", "specs/asgi.rst:242-248"),
    ("http_version.values", _SPEC, "the version is one of those listed", "specs/www.rst:96"),
    ("method.upper", _SPEC, "the method is in upper case", "specs/www.rst:98"),
    ("scheme.nonempty", _SPEC, "the scheme is not empty", "specs/www.rst:100-101"),
    ("path.includes_root", _STRICT, "path begins with root_path", "specs/www.rst:521"),
    ("pair.items", _SPEC, "the items are a host and a port", "specs/www.rst:130-139"),
    ("server.unix", _STRICT, "a unix socket needs spec_version 2.2", "specs/www.rst:135-139"),
    ("ext.offer", _SPEC, "every entry of 'extensions' is a dict", "specs/asgi.rst:302-340"),
    ("tls.only_tls", _STRICT, "there is no 'tls' entry on a plain connection", "specs/tls.rst:35-38"),
    ("tls.name.needed", _SPEC, "a certificate chain comes with client_cert_name", "specs/tls.rst:70-81"),
    ("tls.error.nonempty", _SPEC, "client_cert_error is None or says something", "specs/tls.rst:83-94"),
    ("tls.cipher.encoding", _SPEC, "cipher_suite is two octets, big-endian", "specs/tls.rst:103-111"),
    ("tls.version.unsigned", _SPEC, "tls_version is not negative", "specs/tls.rst:96-101"),
    # events
    ("event.is_dict", _PRACTICE, "an event is a dict with a str under 'type'", "specs/asgi.rst:131-137"),
    ("event.unknown_type", _PRACTICE, "a server raises for types it does not know", "specs/asgi.rst:276-279"),
    ("event.custom_types", _STRICT, "events of this protocol are expected", "specs/asgi.rst:131-137"),
    ("event.foreign", _PRACTICE, "the type's first part is the type of the scope", "specs/asgi.rst:237-240"),
    ("event.namespace", _STRICT, "the type's first part is the type of the scope", "specs/asgi.rst:237-240"),
    ("event.direction", _PRACTICE, "it goes the other way", "specs/asgi.rst:125-137"),
    ("event.order", _PRACTICE, "it has no place at this point", "specs/asgi.rst:276-279"),
    ("ext.gate", _PRACTICE, "use it only if scope['extensions'] offers it", "specs/asgi.rst:302-340"),
    ("version.gate", _SPEC, "use it only with servers of that version", "specs/www.rst:15-31"),
    ("status.digits", _STRICT, "a status has three digits", "specs/www.rst:203"),
    ("pathsend.absolute", _SPEC, "the path is absolute", "docs/extensions.rst:160-161"),
    ("ws.exactly_one", _PRACTICE, "exactly one of 'text' and 'bytes' is not None", "specs/www.rst:399-436"),
    ("application.awaitable", _PRACTICE, "an application is called once with (scope, receive, send) and returns an awaitable", "specs/asgi.rst:163-173"),
    ("callable.awaitable", _PRACTICE, "receive() and send() return awaitables", "specs/asgi.rst:163-173"),
    ("send.after_close.www", _STRICT, "since 2.4, send() on a closed connection raises an OSError", "specs/www.rst:241-253"),
    # the course of a request
    ("http.body_before_start", _PRACTICE, "http.response.start comes first", "specs/www.rst:179-215"),
    ("http.start_twice", _PRACTICE, "there is one http.response.start", "specs/www.rst:179-215"),
    ("http.after_end", _PRACTICE, "the response is complete: a body event without a true 'more_body' ends it", "specs/www.rst:234-238"),
    ("http.no_response", _PRACTICE, "an application sends a response or raises", "specs/www.rst:179-215"),
    ("http.missing_end", _PRACTICE, "a last body event with a false 'more_body' ends a response", "specs/www.rst:218-238"),
    ("http.missing_trailers", _PRACTICE, "announced trailers end with a false 'more_trailers'", "docs/extensions.rst:206-250"),
    ("trailers.announce", _PRACTICE, "trailers are announced with 'trailers': True in http.response.start", "docs/extensions.rst:206-250"),
    ("trailers.after_body", _PRACTICE, "trailers come after the last body event", "docs/extensions.rst:206-250"),
    ("pathsend.no_mix", _PRACTICE, "a response has either one pathsend or body events", "docs/extensions.rst:132-165"),
    ("push.window", _PRACTICE, "push goes between the start and the last body event", "docs/extensions.rst:44-78"),
    ("early_hint.window", _PRACTICE, "early hints come before http.response.start", "asgiref#579"),
    ("debug.once_before_start", _PRACTICE, "debug is sent once, before http.response.start", "docs/extensions.rst:252-278"),
    ("request.after_end", _PRACTICE, "the request's body is complete, only http.disconnect follows", "specs/www.rst:172-176"),
    ("request.after_disconnect", _PRACTICE, "nothing follows http.disconnect", "specs/www.rst:256-271"),
    ("disconnect.repeated", _SPEC, "only some servers answer receive() after http.disconnect", "specs/www.rst:256-271"),
    # the course of a socket
    ("ws.connect_first", _PRACTICE, "websocket.connect comes first", "specs/www.rst:360-375"),
    ("ws.connect_twice", _PRACTICE, "there is one websocket.connect", "specs/www.rst:360-375"),
    ("connect.reply", _PRACTICE, "websocket.accept or websocket.close answers websocket.connect first", "specs/www.rst:360-375"),
    ("ws.reply_before_connect", _STRICT, "receive() returns websocket.connect before it is answered", "specs/www.rst:360-375"),
    ("ws.accept_twice", _PRACTICE, "there is one websocket.accept", "specs/www.rst:378-396"),
    ("ws.close_twice", _STRICT, "there is one websocket.close", "specs/www.rst:481-501"),
    ("ws.after_close", _PRACTICE, "nothing is sent after websocket.close", "specs/www.rst:481-501"),
    ("ws.receive_after_close", _SPEC, "only websocket.disconnect is received after websocket.close", "specs/www.rst:441-463"),
    ("ws.after_disconnect", _PRACTICE, "the connection is closed", "specs/www.rst:441-463"),
    ("ws.unanswered", _PRACTICE, "an application accepts, closes, denies or raises", "specs/www.rst:360-375"),
    ("ws.left_open", _STRICT, "an application closes the socket before it returns", "specs/www.rst:481-501"),
    ("denial.after_connect", _PRACTICE, "a denial response answers websocket.connect instead of accept and close", "docs/extensions.rst:9-41"),
    ("denial.exclusive", _PRACTICE, "after the start of a denial response only its bodies are sent", "docs/extensions.rst:9-41"),
    ("denial.missing_end", _PRACTICE, "a body event with a false 'more_body' ends a denial response", "docs/extensions.rst:9-41"),
    ("denial.trailers", _STRICT, "a denial response has no trailers", "docs/extensions.rst:38-41"),
    # the course of a lifespan
    ("lifespan.startup_first", _PRACTICE, "lifespan.startup comes first, and once", "specs/lifespan.rst:89-97"),
    ("lifespan.startup_unasked", _PRACTICE, "it answers lifespan.startup, and once", "specs/lifespan.rst:100-120"),
    ("lifespan.shutdown_unasked", _PRACTICE, "it answers lifespan.shutdown, and once", "specs/lifespan.rst:134-154"),
    ("lifespan.shutdown_early", _PRACTICE, "lifespan.shutdown comes after a complete startup, and once", "specs/lifespan.rst:123-131"),
    ("lifespan.unanswered", _PRACTICE, "an application answers lifespan.startup and lifespan.shutdown, or raises", "specs/lifespan.rst:53-60"),
    ("lifespan.left_early", _STRICT, "an application waits for lifespan.shutdown", "specs/lifespan.rst:38-60"),
)
# fmt: on

RULES: Final = {row[0]: Rule(*row) for row in _TABLE}
"""All rules, by name."""
