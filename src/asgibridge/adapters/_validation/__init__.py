"""The rules of ASGI as tables, and state machines that apply them.

Nothing in here needs an event loop: conversations are told what was sent and
received and answer with violations.  `ASGIValidator` is the shell around them.
"""

from ._conversation import Conversation as Conversation
from ._diagrams import protocol_diagrams as protocol_diagrams
from ._opening import open_conversation as open_conversation
from ._profiles import Profile as Profile
from ._rules import RULES as RULES, Rule as Rule
from ._validator import ASGIValidator as ASGIValidator
from ._violations import Side as Side, Violation as Violation

__all__ = (
    "RULES",
    "ASGIValidator",
    "Conversation",
    "Profile",
    "Rule",
    "Side",
    "Violation",
    "open_conversation",
    "protocol_diagrams",
)
