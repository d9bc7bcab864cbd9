"""Beginning to follow a conversation: what its scope says."""

from typing import Any, Final, cast

from ._conversation import Conversation, Violations, guarded, violations_of
from ._courses import COURSES
from ._offers import Offer, parse_version
from ._profiles import Profile
from ._quick_scopes import KNOWN_VERSIONS, plain_http_version
from ._reading import as_dict
from ._scopes import examine_scope

__all__ = ("open_conversation",)

_BASELINE: Final = (2, 0)
_PLAIN_OFFERS: Final = {
    text: Offer(parse_version(text) or _BASELINE) for text in KNOWN_VERSIONS
}


def _plain_offer(scope: object, profile: Profile) -> Offer | None:
    if type(scope) is not dict:
        return None
    content = cast("dict[str, Any]", scope)
    try:
        if content["type"] != "http":
            return None
        lenient = profile is not Profile.STRICT
        version = plain_http_version(content, lenient=lenient)
    except Exception:  # noqa: BLE001 - a foreign object's method may raise anything
        return None
    if version is None:
        return None
    extensions = content.get("extensions")
    known = _PLAIN_OFFERS.get(version)
    if known is not None and not extensions:
        return known
    spec_version = parse_version(version) if known is None else known.spec_version
    return Offer(spec_version or _BASELINE, frozenset(extensions or ()))


def _identify(scope: object) -> tuple[str, Offer]:
    """Return the type and the offer of a scope that may be wrong in every respect."""
    try:
        content = as_dict(scope) or {}
        protocol = content["type"]
        if isinstance(protocol, str):
            # Plain, because a subclass may raise when it is looked up in a dict.
            protocol = str.__str__(protocol)
            return protocol, Offer.of(protocol, content)
    except Exception:  # noqa: BLE001 - a foreign object's method may raise anything
        return "unknown", Offer(_BASELINE)
    return "unknown", Offer(_BASELINE)


def open_conversation(
    scope: object, profile: Profile = Profile.SPEC
) -> tuple[Conversation, Violations]:
    """Begin to follow the conversation about *scope*.

    Returns:
        What follows the conversation, and what is wrong with the scope.
    """
    offer = _plain_offer(scope, profile)
    if offer is not None:
        course = COURSES["http", profile]
        return Conversation("http", profile, offer, course, "IDLE", "BODY"), ()
    findings = guarded(lambda: examine_scope(scope))
    protocol, offer = _identify(scope)
    found = [(rule, f"the scope {text}") for rule, text in findings]
    wrong = violations_of(protocol, profile, "server", found)
    known = COURSES.get((protocol, profile))
    if known is None:
        return Conversation(protocol, profile, offer, None, "", ""), wrong
    start = known.sending.start, known.receiving.start
    return Conversation(protocol, profile, offer, known, *start), wrong
