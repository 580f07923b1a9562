"""The hooks against their own OpenAPI document: whatever is asked, they never break."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from listening import Durable
from schemathesis import GenerationMode
from standardwebhooks import Webhook
from webhook_steps import SECRET, TOKEN

from pywats_api.sync import LoopThread
from pywats_cfx.adapter import cfx_adapter
from pywats_events import AsyncEventBus
from pywats_events.cloudevents import cloudevents_adapter, own_events_adapter
from pywats_events.mapping import adapter_of
from pywats_events.transports.webhook import WebhookConfig, WebhookTransport

EXAMPLES = 20
CONFIG = WebhookConfig(
    listen="http://127.0.0.1:0",
    openapi=True,
    hooks=[
        {"name": "open", "auth": "none", "requests_per_minute": 1e9},
        {"name": "mes", "secret": SECRET, "requests_per_minute": 1e9},
        {"name": "plc", "token": TOKEN, "format": "events", "requests_per_minute": 1e9},
        {"name": "cfx", "auth": "none", "format": "cfx", "requests_per_minute": 1e9},
        {
            "name": "mapped",
            "auth": "none",
            "event": "test.result",
            "fields": {"unit_id": "payload.sn", "result": "payload.ok ? 'pass' : 'fail'"},
            "requests_per_minute": 1e9,
        },
    ],
)


def transport():
    """Give a transport as the bridge makes it."""
    formats = {"cfx": cfx_adapter, "cloudevents": cloudevents_adapter, "events": own_events_adapter}
    return WebhookTransport(CONFIG, adapter=adapter_of(CONFIG.readings, formats=formats))


SCHEMA = schemathesis.openapi.from_dict(transport().openapi())
OPERATIONS = {
    operation.path: operation for operation in (found.ok() for found in SCHEMA.get_all_operations())
}


class Signed(requests.auth.AuthBase):
    """Signs what a request holds, so that it comes through to those who read it."""

    def __call__(self, request):
        """Sign."""
        body = request.body or b""
        text = (body if isinstance(body, bytes) else body.encode()).decode("utf-8", "surrogateescape")
        key, seconds = f"msg_{hash(text)}", int(time.time())
        request.headers["webhook-id"] = key
        request.headers["webhook-timestamp"] = str(seconds)
        with contextlib.suppress(UnicodeEncodeError):
            signature = Webhook(SECRET).sign(key, datetime.fromtimestamp(seconds, UTC), text)
            request.headers["webhook-signature"] = signature
        return request


@pytest.fixture(scope="module")
def running():
    """Run the hooks, and give where; all requests share them."""
    thread = LoopThread()
    hooks = transport()
    bus = AsyncEventBus(journal=Durable())
    bus.register_transport(hooks)
    thread.run(bus.start())
    yield hooks, thread.run(hooks.listening())
    thread.run(bus.stop())
    thread.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", OPERATIONS)
def test_no_request_breaks_the_hooks(running, path, mode):
    """Requests made from the document, right and wrong ones, are never answered with a 5xx."""
    _, url = running
    auth = Signed() if path == "/hooks/mes" else None
    headers = {"Authorization": f"Bearer {TOKEN}"} if path == "/hooks/plc" else {}

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=OPERATIONS[path].as_strategy(generation_mode=mode))
    def ask(case):
        answer = case.call(base_url=url, headers=headers, auth=auth)
        if answer.status_code >= 500:
            pytest.fail(f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}")
        case.validate_response(
            answer,
            checks=[
                schemathesis.checks.response_schema_conformance,
                schemathesis.checks.content_type_conformance,
            ],
        )

    with contextlib.suppress(Unsatisfiable):
        ask()


def test_requests_come_through(running):
    """What the document says is taken: among the answers of each hook are 202 and refusals."""
    hooks, _ = running
    statuses = {
        name: {status for hook, status in hooks.answers if hook == name} for name in ("open", "mes", "cfx")
    }
    for name, seen in statuses.items():
        assert 202 in seen, name
        assert seen & {400, 415}, name


def test_document_is_served(running):
    """The document is there for those who ask, where the configuration says so."""
    hooks, url = running
    answer = requests.get(f"{url}/openapi.json", timeout=10)
    assert answer.json() == hooks.openapi()
    assert list(answer.json()["paths"]) == [hook.address for hook in CONFIG.hooks]
