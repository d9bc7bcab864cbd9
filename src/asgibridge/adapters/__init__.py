"""One application interface as another, and checks of them."""

from ._validation import (
    RULES as RULES,
    ASGIValidator as ASGIValidator,
    Conversation as Conversation,
    Profile as Profile,
    Rule as Rule,
    Side as Side,
    Violation as Violation,
    diagrams as diagrams,
    open_conversation as open_conversation,
)

__all__ = (
    "RULES",
    "ASGIValidator",
    "Conversation",
    "Profile",
    "Rule",
    "Side",
    "Violation",
    "diagrams",
    "open_conversation",
)
