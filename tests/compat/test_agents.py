"""New Relic, Sentry, OpenTelemetry and django-debug-toolbar themselves.

Each is installed as its users install it, in a process of its own, around a
Django project that runs on asgibridge.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.compat.programs import INSTALL, PROJECT, run

# The agent's developer mode sends nothing anywhere.
NEW_RELIC: Final = """
import pathlib
pathlib.Path("newrelic.ini").write_text(
    "[newrelic]\\nlicense_key = " + 40 * "0" + "\\napp_name = x\\n"
    "developer_mode = true\\n")
import newrelic.agent
newrelic.agent.initialize("newrelic.ini")
agent = newrelic.agent.register_application(timeout=60)
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_new_relic(tmp_path: Path, *, is_first: bool) -> None:
    """The transaction goes to the threads and back, whoever was there first.

    The agent wraps `SyncToAsync.__call__`, `SyncToAsync.thread_handler` and
    `AsyncToSync.main_wrap` when it is told of the import of ``asgiref.sync``.
    """
    begin = NEW_RELIC + INSTALL if is_first else INSTALL + NEW_RELIC
    run(
        tmp_path,
        begin
        + PROJECT
        + """
from asgiref.sync import SyncToAsync, AsyncToSync
from newrelic.api.time_trace import current_trace
for patched in (SyncToAsync.thread_handler, SyncToAsync.__call__,
                AsyncToSync.main_wrap):
    assert "newrelic" in type(patched).__module__, type(patched)

def note():
    transaction = newrelic.agent.current_transaction()
    return transaction and (transaction.name, current_trace() is not None)

set_up()
ask("/blocking/", "/asynchronous/")
names = [name for (name, has_trace), _ in NOTES if has_trace]
assert len(names) == 2, NOTES
assert "blocking" in names[0], names
assert "asynchronous" in names[1], names

def plain():
    return newrelic.agent.current_transaction() is not None

async def inner():
    return plain()

from asgiref.sync import async_to_sync, sync_to_async
assert async_to_sync(inner)() is False
with newrelic.agent.BackgroundTask(agent, "task"):
    assert async_to_sync(inner)() is True
    assert async_to_sync(sync_to_async(plain))() is True
print("done")
""",
    )


def test_sentry(tmp_path: Path) -> None:
    """What is reported on a thread belongs to the request."""
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + """
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

sent = []

class Recording(Transport):
    def capture_envelope(self, envelope):
        sent.extend(item.payload.json for item in envelope.items)

def note():
    sentry_sdk.set_tag("thread", threading.current_thread().name)
    sentry_sdk.capture_message("seen")

set_up()
sentry_sdk.init("https://key@sentry.invalid/1", transport=Recording,
                integrations=[DjangoIntegration()], traces_sample_rate=1.0)
ask("/blocking/", "/asynchronous/")
sentry_sdk.flush()
messages = [each for each in sent if each.get("message") == "seen"]
requests = [each for each in sent if each.get("type") == "transaction"]
assert [each["transaction"] for each in messages] == ["/blocking/", "/asynchronous/"]
assert [each["transaction"] for each in requests] == ["/blocking/", "/asynchronous/"]
for message, request in zip(messages, requests, strict=True):
    traces = [each["contexts"]["trace"]["trace_id"] for each in (message, request)]
    assert traces[0] == traces[1]
    # The query that was made on a thread is part of the request's trace.
    assert any(span["op"] == "db" for span in request["spans"]), request["spans"]
assert messages[0]["tags"]["thread"].startswith("asgibridge-sensitive")
print("done")
""",
    )


@pytest.mark.parametrize("wraps_application", [True, False])
def test_opentelemetry(tmp_path: Path, *, wraps_application: bool) -> None:
    """Spans on threads are children of the request's, by middleware or around."""
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + f"wraps_application = {wraps_application}\n"
        + """
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = provider.get_tracer("test")

def note():
    with tracer.start_as_current_span("note"):
        pass

set_up()
if wraps_application:
    ask("/blocking/", "/asynchronous/", wrap=lambda application:
        OpenTelemetryMiddleware(application, tracer_provider=provider))
else:
    DjangoInstrumentor().instrument(tracer_provider=provider)
    ask("/blocking/", "/asynchronous/")
spans = exporter.get_finished_spans()
roots = {span.context.span_id: span for span in spans
         if span.kind is trace.SpanKind.SERVER}
notes = [span for span in spans if span.name == "note"]
assert len(roots) == len(notes) == 2, [span.name for span in spans]
paths = [roots[span.parent.span_id].name for span in notes]
assert "blocking" in paths[0] or wraps_application, paths
assert notes[0].parent.span_id != notes[1].parent.span_id
print("done")
""",
    )


def test_debug_toolbar(tmp_path: Path) -> None:
    """It counts the queries of a request, which were made on a thread."""
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + """
def note():
    pass

set_up(
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    apps=["django.contrib.staticfiles", "debug_toolbar"],
    STATIC_URL="/static/",
    DEBUG=True,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True}],
    DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": lambda request: True},
)
from debug_toolbar.toolbar import debug_toolbar_urls
views = urls()
urls = lambda: [*views, *debug_toolbar_urls()]
for text in ask("/blocking/", "/asynchronous/"):
    assert 'id="djDebug"' in text, text
    assert "1 query in" in text, text
print("done")
""",
    )
