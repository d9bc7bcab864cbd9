"""What executors and runners promise beyond their types, as test classes.

Subclass a suite, provide its fixture, and pytest runs it on your executor::

    from asgibridge.testing.conformance import ExecutorConformance

    class TestMyExecutor(ExecutorConformance):
        max_workers = 4

        @pytest.fixture
        def executor(self):
            with MyExecutor(max_workers=4) as executor:
                yield executor

Needs pytest: ``pip install 'asgibridge[testing]'``.
"""

from ._executors import ExecutorConformance as ExecutorConformance
from ._leases import LeaseConformance as LeaseConformance
from ._messages import (
    SinkConformance as SinkConformance,
    SourceConformance as SourceConformance,
)
from ._posts import PostConformance as PostConformance
from ._runners import RunnerConformance as RunnerConformance

__all__ = (
    "ExecutorConformance",
    "LeaseConformance",
    "PostConformance",
    "RunnerConformance",
    "SinkConformance",
    "SourceConformance",
)
