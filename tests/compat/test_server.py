"""`asgibridge.compat.server`."""

import asyncio
import logging
from typing import Any

import pytest

from asgibridge.compat.server import StatelessServer


class Server(StatelessServer):
    application_checker_interval = 0.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent: list[Any] = []
        self.failed: list[BaseException] = []

    async def application_send(self, scope: Any, message: Any) -> None:
        self.sent.append((scope, message))

    async def application_exception(
        self, exception: BaseException, application_details: Any
    ) -> None:
        await super().application_exception(exception, application_details)
        self.failed.append(exception)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    while True:
        await send(await receive())


def test_events_reach_one_instance_per_scope() -> None:
    class Echo(Server):
        async def handle(self) -> None:
            for number in (1, 2):
                for scope_id in ("a", "b"):
                    queue = self.get_or_create_application_instance(
                        scope_id, f"scope {scope_id}"
                    )
                    queue.put_nowait(number)
            while len(self.sent) < 4:
                await asyncio.sleep(0)

    server = Echo(echo)
    server.run()
    assert sorted(server.sent) == [
        ("scope a", 1),
        ("scope a", 2),
        ("scope b", 1),
        ("scope b", 2),
    ]


def test_the_least_recently_used_instance_goes() -> None:
    async def main() -> None:
        server = Server(echo, 2)
        for scope_id in ("a", "b", "a", "c"):
            server.get_or_create_application_instance(scope_id, None)
        assert list(server.application_instances) == ["a", "c"]
        for scope_id in ("a", "c"):
            server.delete_application_instance(scope_id)
        assert not server.application_instances

    asyncio.run(main())


def test_instances_that_end_are_forgotten_and_errors_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope == "bad":
            raise LookupError("broken")
        if scope == "stays":
            await receive()

    class Ends(Server):
        async def handle(self) -> None:
            for scope in ("good", "bad", "gone", "stays"):
                self.get_or_create_application_instance(scope, scope)
            gone = self.application_instances["gone"]["future"]
            gone.cancel()
            while list(self.application_instances) != ["stays"]:
                await asyncio.sleep(0)
            self.delete_application_instance("stays")

    server = Ends(app)
    with caplog.at_level(logging.ERROR, "asgibridge.compat.server"):
        server.run()
    assert [str(error) for error in server.failed] == ["broken"]
    assert "broken" in caplog.text


def test_a_report_may_start_the_instance_anew() -> None:
    calls: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise LookupError("broken")
        await receive()

    class Again(Server):
        async def application_exception(
            self, exception: BaseException, application_details: Any
        ) -> None:
            self.delete_application_instance("a")
            self.get_or_create_application_instance("a", None)
            self.failed.append(exception)

        async def handle(self) -> None:
            self.get_or_create_application_instance("a", None)
            while len(calls) < 2:
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            self.delete_application_instance("a")

    server = Again(app)
    server.run()
    assert len(server.failed) == 1


def test_an_error_of_the_handler_ends_the_server() -> None:
    class Broken(Server):
        async def handle(self) -> None:
            raise LookupError("handler")

    with pytest.raises(LookupError, match="handler"):
        Broken(echo).run()


def test_what_has_to_be_overridden() -> None:
    server = StatelessServer(echo)
    with pytest.raises(NotImplementedError, match="handle"):
        asyncio.run(server.handle())
    with pytest.raises(NotImplementedError, match="application_send"):
        asyncio.run(server.application_send(None, None))


def test_ctrl_c_ends_it_quietly(caplog: pytest.LogCaptureFixture) -> None:
    class Interrupted(Server):
        async def arun(self) -> None:
            raise KeyboardInterrupt

    with caplog.at_level(logging.INFO, "asgibridge.compat.server"):
        Interrupted(echo).run()
    assert "Ctrl-C" in caplog.text
