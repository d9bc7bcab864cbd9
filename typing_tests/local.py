"""What type checkers know of `Local` and `DeclaredLocal`."""

from typing import Any, Generic, TypeVar, assert_type

from asgibridge.local import DeclaredLocal, Local, ThreadCriticalLocal

T = TypeVar("T")


# Local: any attribute, of any type, unless a subclass says more.
local = Local()
assert_type(local.anything, Any)
local.anything = 1
del local.anything
with local.override(anything=2, other="x") as same:
    assert_type(same, Local)
Local(thread_critical=True)
Local(5)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]  # takes no values
Local(critical=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no such option


class Session(Local):
    """A subclass with an ``__init__`` that runs per context."""

    def __init__(self, url: str) -> None:
        self.url = url


session = Session("a")
assert_type(session.url, str)
Session(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a str
with session.override(url="b") as same_session:
    assert_type(same_session, Session)

ThreadCriticalLocal(thread_critical=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # it is


# DeclaredLocal: the declared attributes, and no other.
class Request(DeclaredLocal):
    """Declares two attributes."""

    user: str
    attempts: int = 0


request = Request()
assert_type(request.user, str)
assert_type(request.attempts, int)
request.user = "ann"
request.user = 5  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # a str
request.usr = "ann"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # undeclared
print(request.usr)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # undeclared  # noqa: T201
with request.override(user="bob") as same_request:
    assert_type(same_request, Request)


class Box(DeclaredLocal, Generic[T]):
    """A generic one."""

    item: T


box = Box[bytes]()
assert_type(box.item, bytes)
