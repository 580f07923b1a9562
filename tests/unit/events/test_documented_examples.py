"""The examples that the documentation gives run as they stand there, with the imports that they left out."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def run(program: str) -> str:
    """Run a program as a user would; give what it printed. It must end well and say nothing of errors."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_core_example():
    """A program that publishes and ends has its event handled, though it never stops the bus."""
    printed = run(
        """
        from pywats_events import Event, EventType, EventBus, BaseHandler

        # Create an event
        event = Event(
            event_type=EventType.TEST_RESULT,
            payload={"unit_id": "SN-123", "result": "pass"},
            source="test-station"
        )

        # Create a handler
        class MyHandler(BaseHandler):
            @property
            def event_types(self):
                return [EventType.TEST_RESULT]

            async def handle(self, event):
                print(f"Processing: {event.payload['unit_id']}")

        # Wire it up
        bus = EventBus()
        bus.subscribe(MyHandler())
        bus.start()
        bus.publish(event)
        """
    )

    assert "Processing: SN-123" in printed


def test_a_program_that_ends_spends_no_tries():
    """A plain handler that can't run any more because the program ends is not counted as failed."""
    printed = run(
        """
        from pywats_events import BaseHandler, Event, EventBus, EventType
        from pywats_events.policies import RetryPolicy

        class Plain(BaseHandler):
            event_types = [EventType.TEST_RESULT]

            def handle(self, event):
                sum(range(100_000))

        bus = EventBus(retry_policy=RetryPolicy(max_retries=0))
        bus.on_error(lambda event, error: print("FAILED", error))
        bus.subscribe(Plain())
        bus.start()
        for number in range(200):
            bus.publish(Event(EventType.TEST_RESULT, {"unit_id": "one at a time"}))
        """
    )

    assert "FAILED" not in printed


def test_design_example():
    """The shortest use of the bus: subscribe, start, publish."""
    from pywats_events import BaseHandler, Event, EventBus, EventType

    printed = []

    class MyHandler(BaseHandler):
        @property
        def event_types(self):
            return [EventType.TEST_RESULT]

        async def handle(self, event):
            printed.append(event.payload["unit_id"])

    bus = EventBus()
    bus.subscribe(MyHandler())
    bus.start()
    bus.publish(
        Event(
            event_type=EventType.TEST_RESULT,
            payload={"unit_id": "SN-123", "result": "pass"},
            source="test-station",
        )
    )
    bus.stop()

    assert printed == ["SN-123"]


def test_cfx_example():
    """A CFX transport is configured in four lines and registered with a bus."""
    from pywats_cfx import AMQPConfig, CFXConfig, CFXTransport, EndpointConfig
    from pywats_events import EventBus

    # Configure CFX connection
    config = CFXConfig(
        amqp=AMQPConfig(host="cfx-broker.factory.local"),
        endpoint=EndpointConfig(cfx_handle="//Company/WATS/Station1"),
    )

    # Create transport and connect to event bus
    transport = CFXTransport(config)
    bus = EventBus()
    bus.register_transport(transport)

    assert transport.name


@pytest.mark.parametrize(
    "names",
    [
        "TEST_RESULT, TEST_STARTED, INSPECTION_RESULT",
        "ASSET_FAULT, ASSET_STATE_CHANGED, ASSET_MAINTENANCE",
        "MATERIAL_INSTALLED, MATERIAL_CONSUMED",
        "WORK_STARTED, WORK_COMPLETED, UNIT_DISQUALIFIED",
        "TRANSPORT_CONNECTED, HANDLER_ERROR, EVENT_DEAD_LETTER",
    ],
)
def test_event_types(names):
    """Every documented event type exists, with a wire form of lower-case words and a dot."""
    from pywats_events import EventType

    for name in names.split(", "):
        category, _, what = EventType[name].value.partition(".")
        assert category.islower()
        assert what.islower()


def test_retry_policy_example():
    """The retry policy takes its numbers and which errors to retry."""
    from pydantic import ValidationError

    from pywats_events.policies import RetryPolicy

    policy = RetryPolicy(
        max_retries=3,
        initial_delay=1.0,  # 1 second
        max_delay=60.0,  # Max 60 seconds
        exponential_base=2.0,  # Exponential backoff
        jitter=True,  # Add randomness
    )

    # Filter which exceptions to retry
    policy.retry_on(ConnectionError, TimeoutError)
    policy.no_retry_on(ValidationError)  # Never retry these

    assert policy.allows(ConnectionError(), attempt=1)
    assert not policy.allows(KeyError(), attempt=1)


def test_error_policy_example():
    """Dead letters can be looked at as a queue."""
    from pywats_events import BaseHandler, Event, EventBus, EventType, PermanentError
    from pywats_events.policies import CircuitBreaker, DeadLetterQueue, ErrorPolicy

    printed = []

    dlq = DeadLetterQueue(max_size=1000)
    cb = CircuitBreaker(
        failure_threshold=5,  # Open after 5 failures
        reset_timeout=30.0,  # Try again after 30 seconds
    )

    policy = ErrorPolicy(dead_letter_queue=dlq, circuit_breaker=cb)

    class Refuses(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        def handle(self, _event):
            raise PermanentError("no such part")

    with EventBus(error_policy=policy) as bus:
        bus.subscribe(Refuses())
        bus.publish(Event(EventType.TEST_RESULT, id="e-1"))
        bus.drain(timeout=10)

    # Get failed events for analysis/replay
    for entry in dlq.get_entries():
        printed.append(f"Failed: {entry.event.id} - {entry.error}")  # noqa: PERF401  # as documented

    assert printed == ["Failed: e-1 - no such part"]


def test_mock_transport_example():
    """A plain synchronous test injects an event and asserts on the next line."""
    from pywats_events import BaseHandler, Event, EventBus, EventType
    from pywats_events.transports import MockTransport

    def test_my_handler():
        bus = EventBus()
        transport = MockTransport()
        bus.register_transport(transport)

        received = []

        class TestHandler(BaseHandler):
            def event_types(self):
                return [EventType.TEST_RESULT]

            def handle(self, event):
                received.append(event)

        bus.subscribe(TestHandler())
        bus.start()

        # Inject test event
        transport.inject_event(
            Event(event_type=EventType.TEST_RESULT, payload={"unit_id": "TEST-123", "passed": True})
        )

        assert len(received) == 1
        bus.stop()

    test_my_handler()


def test_report_handler_example():
    """A handler with a service of its own reads the typed payload and submits a report."""
    from pywats_events import BaseHandler, Event, EventBus, EventType
    from pywats_events.payloads import TestResultEvent

    class ReportService:
        def __init__(self):
            self.submitted = []

        async def submit(self, report):
            self.submitted.append(report)

    class ReportHandler(BaseHandler):
        def __init__(self, report_service: ReportService):
            self.report_service = report_service

        @property
        def event_types(self):
            return [EventType.TEST_RESULT]

        async def handle(self, event: Event):
            result = TestResultEvent(**event.payload)
            report = self._build_uut_report(result)
            await self.report_service.submit(report)

        def _build_uut_report(self, result):
            return {"sn": result.unit_id, "result": result.result.value}

    service = ReportService()
    with EventBus() as bus:
        bus.subscribe(ReportHandler(service))
        bus.publish(Event(EventType.TEST_RESULT, {"unit_id": "SN-123", "result": "pass"}))

    assert service.submitted == [{"sn": "SN-123", "result": "passed"}]
