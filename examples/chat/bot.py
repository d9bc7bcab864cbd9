"""A chat-room bot: remembers each user, answers, and passes things on to rooms.

Every user is a conversation, and so is every room: their application instances
are the same callable, and talk to each other with ``message.publish``.  So it
does not matter in which process they are::

    asgibridge worker examples.chat.bot:app --source -
    asgibridge worker examples.chat.bot:app --source tcp://127.0.0.1:4000
    asgibridge worker examples.chat.bot:app --source redis://127.0.0.1 --name chat

What a user or a room remembers lives as long as its instance.  A real bot would
write it to a database when it is told to end.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

ROOM = "room:"
HELP = "say anything, or: /join ROOM, /leave, /who, /history, /quit"


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one user or one room, depending on the scope id."""
    if scope["type"] != "message":
        msg = f"this is for messages, not for {scope['type']}"
        raise ValueError(msg)
    scope_id: str = scope["scope_id"]
    if scope_id.startswith(ROOM):
        await Room(scope_id, send).serve(receive)
    else:
        await User(scope_id, send).serve(receive)


@dataclass
class User:
    """What the bot knows about one user."""

    name: str
    send: Send
    room: str | None = None
    history: list[str] = field(default_factory=list[str])

    async def serve(self, receive: Receive) -> None:
        """Handle events until the user goes or the server wants the place."""
        while True:
            event = await receive()
            match event:
                case {"type": "message.receive", "text": str(text)}:
                    if not await self.hear(text.strip()):
                        return
                case {"type": "chat.tell", "text": str(text)}:
                    await self.say(text)
                case _:  # hung up, or told to end
                    if event["type"] == "message.closed":
                        await self.leave()
                    return

    async def hear(self, text: str) -> bool:
        """Handle what the user typed; return False at the end."""
        command, _, rest = text.partition(" ")
        match command:
            case "/help":
                await self.say(HELP)
            case "/join" if rest:
                await self.leave()
                self.room = ROOM + rest
                await self.tell_room("chat.join")
            case "/leave":
                await self.leave()
            case "/who" if self.room:
                await self.tell_room("chat.who")
            case "/history":
                await self.say("; ".join(self.history) or "nothing yet")
            case "/quit":
                await self.leave()
                await self.say("bye")
                return False
            case _:
                await self.chat(text)
        return True

    async def chat(self, text: str) -> None:
        """Remember a text; pass it on, or answer it."""
        self.history.append(text)
        if self.room:
            await self.tell_room("chat.say", text=text)
        else:
            count = len(self.history)
            await self.say(f"I heard {text!r}, number {count} from you (/help)")

    async def leave(self) -> None:
        """Leave the room, if in one."""
        if self.room:
            await self.tell_room("chat.leave")
            self.room = None

    async def tell_room(self, kind: str, **more: str) -> None:
        """Send an event to the room, wherever it is."""
        event = {"type": kind, "who": self.name, **more}
        await self.send(
            {"type": "message.publish", "scope_id": self.room, "event": event}
        )

    async def say(self, text: str) -> None:
        """Say something to the user."""
        await self.send({"type": "message.send", "text": text})


@dataclass
class Room:
    """Who is in one room."""

    scope_id: str
    send: Send
    members: list[str] = field(default_factory=list[str])

    async def serve(self, receive: Receive) -> None:
        """Handle what users do, until the room is empty or the place is wanted."""
        while True:
            match await receive():
                case {"type": "chat.join", "who": str(who)}:
                    # A message may come twice: being in twice makes no sense.
                    if who not in self.members:
                        self.members.append(who)
                    await self.tell_all(f"* {who} is here")
                case {"type": "chat.leave", "who": str(who)}:
                    await self.tell_all(f"* {who} is gone")
                    self.members = [name for name in self.members if name != who]
                    if not self.members:
                        return
                case {"type": "chat.say", "who": str(who), "text": str(text)}:
                    await self.tell_all(f"<{who}> {text}", but=who)
                case {"type": "chat.who", "who": str(who)}:
                    await self.tell(who, "in here: " + ", ".join(self.members))
                case _:
                    await self.tell_all("* the room forgets you: /join it again")
                    return

    async def tell_all(self, text: str, but: str = "") -> None:
        """Say something to everybody in the room."""
        for member in self.members:
            if member != but:
                await self.tell(member, text)

    async def tell(self, member: str, text: str) -> None:
        """Say something to one user."""
        await self.send({"type": "message.send", "to": member, "text": text})
