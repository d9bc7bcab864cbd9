"""The contenders' libraries, each in its natural use."""

from ._anyio import (
    ANYIO as ANYIO,
    ANYIO_PORTAL as ANYIO_PORTAL,
    ANYIO_RUN as ANYIO_RUN,
)
from ._asgibridge import IN_THREAD as IN_THREAD, OURS as OURS
from ._asgiref import ASGIREF as ASGIREF, ASGIREF_FREE_LIST as ASGIREF_FREE_LIST
from ._floor import BARE_SEND as BARE_SEND, HAND_MADE as HAND_MADE
from ._protocols import (
    AsyncCallable as AsyncCallable,
    ContextToolkit as ContextToolkit,
    Library as Library,
    ToAsync as ToAsync,
    Toolkit as Toolkit,
    ToSync as ToSync,
)
from ._stdlib import (
    ASYNCIO_RUN as ASYNCIO_RUN,
    BACKGROUND_LOOP as BACKGROUND_LOOP,
    EXECUTOR as EXECUTOR,
    RUNNER as RUNNER,
    TO_THREAD as TO_THREAD,
)
from ._trio import TRIO as TRIO, TRIO_RUN as TRIO_RUN

__all__ = (
    "ANYIO",
    "ANYIO_PORTAL",
    "ANYIO_RUN",
    "ASGIREF",
    "ASGIREF_FREE_LIST",
    "ASYNCIO_RUN",
    "BACKGROUND_LOOP",
    "BARE_SEND",
    "EXECUTOR",
    "HAND_MADE",
    "IN_THREAD",
    "OURS",
    "RUNNER",
    "TO_THREAD",
    "TRIO",
    "TRIO_RUN",
    "AsyncCallable",
    "ContextToolkit",
    "Library",
    "ToAsync",
    "ToSync",
    "Toolkit",
)
