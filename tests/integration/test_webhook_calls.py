"""Calls of webhooks over a real server: who is let in, what is answered, what is in the journal then."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import time
from base64 import b64encode

import pytest
import structlog
from golden_messages import IN_CIRCUIT
from webhook_steps import (
    OTHER_SECRET,
    SECRET,
    TOKEN,
    cloudevent,
    request,
    signed,
    unit_adapter,
    webhooks,
)

from pywats_cfx.adapter import cfx_adapter
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.transports.webhook import HookConfig

OPEN = {"name": "open", "auth": "none"}
MES = {"name": "mes", "secret": SECRET}


async def test_signed_call_is_taken():
    """A call that the published library signed is answered with 202 and the ids of its events."""
    async with webhooks(MES) as hooks:
        body = cloudevent()
        answer = await hooks.post("mes", body, signed(body))
        assert answer.status_code == 202
        assert answer.json() == {"event_ids": ["/testers/7#1"]} == {"event_ids": hooks.ids}
        assert hooks.events[0].payload == {"unit_id": "SN-1", "result": "pass"}


async def test_repeated_call_gives_the_same_ids(tmp_path):
    """The same webhook-id gets the same answer, also after a restart, and there is one event."""
    body = b'{"unit": "SN-1"}'
    answers = []
    for _ in range(2):
        journal = SQLiteJournal(tmp_path / "journal")
        async with webhooks({**MES, "format": "events"}, journal=journal, adapter=unit_adapter) as hooks:
            answers += [await hooks.post("mes", body, signed(body)) for _ in range(2)]
            answers[-1].seen = list(hooks.ids)
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.text for answer in answers} == {'{"event_ids":["/hooks/mes#msg_1/0"]}'}
    assert (answers[1].seen, answers[3].seen) == (["/hooks/mes#msg_1/0"], [])


async def test_key_of_another_hook_is_another_key():
    """Two senders may both count from 1."""
    hook = {"auth": "none", "format": "events"}
    async with webhooks({**hook, "name": "a"}, {**hook, "name": "b"}, adapter=unit_adapter) as hooks:
        for name in ("a", "b"):
            await hooks.post(name, b'{"unit": "1"}', {"Idempotency-Key": '"1"'})
        assert hooks.ids == ["/hooks/a#1/0", "/hooks/b#1/0"]


async def test_key_with_another_body_is_refused():
    """What was taken under a key is not silently something else later."""
    async with webhooks({**OPEN, "format": "events"}, adapter=unit_adapter) as hooks:
        key = {"Idempotency-Key": "7"}
        assert (await hooks.post("open", b'{"unit": "1"}', key)).status_code == 202
        answer = await hooks.post("open", b'{"unit": "2"}', key)
        assert answer.status_code == 409
        assert "Idempotency-Key" in answer.json()["detail"]
        assert len(hooks.events) == 1


async def test_key_of_a_refused_call_can_be_used_again():
    """A caller that mends its body may keep the key."""
    async with webhooks({**OPEN, "format": "events"}, adapter=unit_adapter) as hooks:
        key = {"Idempotency-Key": "7"}
        assert (await hooks.post("open", b'{"unit": 1}', key)).status_code == 400
        assert (await hooks.post("open", b'{"unit": "1"}', key)).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 257, '"'])
async def test_key_that_is_none_is_named(key):
    """A key that can't be one is refused by its name; one quote alone is a key."""
    async with webhooks(OPEN) as hooks:
        answer = await hooks.post("open", cloudevent(), {"Idempotency-Key": key})
        assert answer.status_code == (202 if key == '"' else 400)
        assert answer.status_code == 202 or "idempotency-key" in answer.json()["detail"]


async def test_replayed_and_reordered_deliveries():
    """However often and in whatever order a sender repeats its calls, each is one event."""
    async with webhooks(MES) as hooks:
        bodies = [cloudevent(number) for number in range(6)]
        for number in (0, 2, 1, 0, 5, 4, 3, 5, 5, 1):
            answer = await hooks.post("mes", bodies[number], signed(bodies[number], key=f"msg_{number}"))
            assert answer.json() == {"event_ids": [f"/testers/7#{number}"]}
        assert hooks.ids == [f"/testers/7#{number}" for number in (0, 2, 1, 5, 4, 3)]


async def test_what_nobody_signed_is_refused():
    """Tampered bodies, other ids, old and future times, wrong secrets: 401, no detail, no event."""
    async with webhooks(MES) as hooks:
        body, now = cloudevent(), time.time()
        right = signed(body)
        calls = [
            (cloudevent(2), right),
            (body, right | {"webhook-id": "msg_2"}),
            (body, right | {"webhook-timestamp": str(int(now) - 1)}),
            (body, signed(body, at=now - 400)),
            (body, signed(body, at=now + 400)),
            (body, signed(body, secret=OTHER_SECRET)),
            (body, {key: value for key, value in right.items() if key != "webhook-signature"}),
            (body, {}),
        ]
        answers = [await hooks.post("mes", *call) for call in calls]
        assert [answer.status_code for answer in answers] == [401] * len(calls)
        assert {answer.text for answer in answers} == {
            '{"type":"about:blank","title":"Unauthorized","status":401}'
        }
        assert not hooks.events


async def test_time_is_judged_by_the_tolerance():
    """A call is a replay when it is older than the hook's tolerance, by the bridge's clock."""
    sent = 1_700_000_000
    body = cloudevent()
    for now, status in ((sent, 202), (sent + 60, 202), (sent + 61, 401), (sent - 60, 202), (sent - 61, 401)):
        async with webhooks({**MES, "tolerance": 60}, clock=lambda now=now: now) as hooks:
            assert (await hooks.post("mes", body, signed(body, at=sent))).status_code == status


async def test_secrets_are_changed_without_a_gap():
    """While two secrets are configured either is good, and so is a call that both signed."""
    async with webhooks({"name": "mes", "secret": f"{OTHER_SECRET}\n{SECRET}\n"}) as hooks:
        body = cloudevent()
        old, new = signed(body), signed(body, secret=OTHER_SECRET)
        both = old | {"webhook-signature": f"v1a,c2ln {new['webhook-signature']} {old['webhook-signature']}"}
        for headers in (old, new, both):
            assert (await hooks.post("mes", body, headers)).status_code == 202


async def test_malformed_signature_headers_are_refused():
    """Whatever stands in the headers of a signature, the answer is 401."""
    async with webhooks(MES) as hooks:
        body = cloudevent()
        right = signed(body)
        line = await hooks.connect()
        values = [
            "",
            "v1",
            "v1,",
            ",",
            "v1,,",
            "v1,=",
            "v1,é",
            "v1," + "A" * 5000,
            " " * 50,
            "v2,AAAA",
            "v1,AA\tAA",
        ]
        values += ["NaN", "inf", "-1", "1e9", "9" * 400, "١٢٣", "0x10", "1.5", "\x80\xff"]
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            for value in values:
                if name == "webhook-id" and not value.strip():
                    continue
                headers = right | {name: value.encode("utf-8").decode("latin-1")}
                fields = {key.replace("-", "_"): text for key, text in headers.items()}
                await line.send(request("mes", body, **fields))
                assert (await line.answer())[0] == 401, (name, value)
        await line.hang_up()
        assert not hooks.events


async def test_hmac_as_github_has_it():
    """A hook may be signed in one header: hexadecimal as GitHub, base64 as others."""
    secret = "It's a Secret to Everybody"
    hook = {"name": "hub", "auth": "hmac", "secret": secret, "format": "events"}
    shop = {**hook, "name": "shop", "signature_header": "X-Shop-Hmac", "signature_prefix": ""}
    async with webhooks(hook, shop, adapter=unit_adapter) as hooks:
        body = b'{"unit": "Hello, World!"}'
        mac = hmac.new(secret.encode(), body, hashlib.sha256)
        good = [
            ("hub", {"X-Hub-Signature-256": f"sha256={mac.hexdigest()}"}),
            ("shop", {"X-Shop-Hmac": b64encode(mac.digest()).decode()}),
        ]
        bad = [
            ("hub", {"X-Hub-Signature-256": mac.hexdigest()}),
            ("hub", {"X-Hub-Signature-256": f"sha256={mac.hexdigest()[:-1]}x"}),
            ("hub", {"X-Hub-Signature": f"sha1={'0' * 40}"}),
            ("shop", {"X-Shop-Hmac": b64encode(b"0" * 32).decode()}),
        ]
        assert [(await hooks.post(name, body, headers)).status_code for name, headers in good] == [202] * 2
        assert [(await hooks.post(name, body, headers)).status_code for name, headers in bad] == [401] * 4


def test_github_example():
    """The signature that GitHub's documentation gives for its example is good."""
    from starlette.datastructures import Headers

    from pywats_events.transports.webhook.credentials import Gate

    gate = Gate(HookConfig(name="hub", auth="hmac", secret="It's a Secret to Everybody"))
    mac = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    proof = gate.begin(Headers({"X-Hub-Signature-256": f"sha256={mac}"}), None)
    proof.update(b"Hello, ")
    proof.update(b"World!")
    assert proof.refusal() is None


async def test_bearer_token():
    """A hook with a token takes those who show it."""
    async with webhooks({"name": "plc", "token": f"another-token\n{TOKEN}"}) as hooks:
        given = [
            f"Bearer {TOKEN}",
            "bearer another-token",
            "Bearer nope",
            TOKEN,
            f"Basic {TOKEN}",
            "",
            "Bearer \xe9",
        ]
        answers = [
            (await hooks.post("plc", cloudevent(), {"Authorization": text.encode("latin-1")})).status_code
            for text in given
        ]
        assert answers == [202, 202, 401, 401, 401, 401, 401]


@pytest.mark.parametrize("auth", [MES, {"name": "plc", "token": TOKEN}], ids=["standard", "bearer"])
async def test_nobody_learns_which_hooks_there_are(auth):
    """A hook that does not exist answers as one does whose caller is not known."""
    async with webhooks({**auth, "max_bytes": 1000}, OPEN) as hooks:
        body = cloudevent()
        calls = [
            (body, signed(body, secret=OTHER_SECRET)),
            (body, {"Authorization": "Bearer nope"}),
            (b"[" * 100_000, {}),
            (b"[" * 100_000, signed(b"")),
            (b"x" * 5_000_000, {}),
            (b"x" * 4_000_000, {"Content-Type": "text/plain", "Content-Encoding": "br"}),
        ]
        for call in calls:
            there = await hooks.post(auth["name"], *call)
            nowhere = await hooks.post("nowhere", *call)
            assert there.status_code in (401, 413)
            assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
            assert list(there.headers) == list(nowhere.headers)


async def test_where_nothing_is_guarded_a_wrong_name_is_told():
    """Where anybody may call anyway, a wrong path is 404."""
    async with webhooks(OPEN) as hooks:
        assert (await hooks.post("opne", cloudevent())).status_code == 404


async def test_secrets_and_queries_stay_out_of_logs_and_answers():
    """Neither what callers sign with or show, nor the query of their path, is logged or answered."""
    with structlog.testing.capture_logs() as logs:
        async with webhooks(MES, {"name": "plc", "token": TOKEN}) as hooks:
            body = cloudevent()
            headers = signed(body)
            said = []
            for path in ("mes", "plc", "nowhere"):
                for more in (
                    {},
                    {"Authorization": f"Bearer {TOKEN}"},
                    headers,
                    headers | {"webhook-id": "2"},
                ):
                    answer = await hooks.client.post(f"/hooks/{path}?key=private", content=body, headers=more)
                    said.append(f"{answer.text} {answer.headers}")
            records = [entry async for entry in _raws(hooks)]
    everything = f"{logs} {said} {records} {hooks.transport.answers}"
    for secret in (SECRET, SECRET[6:], TOKEN, "private", headers["webhook-signature"][3:]):
        assert secret not in everything
    assert any(entry.get("reason") == "no signature fits the body and the secret" for entry in logs)


async def _raws(hooks):
    from pywats_events.journal import Query

    for entry in await hooks.bus.journal.search(Query()):
        yield entry


async def test_cloudevents_in_all_modes():
    """Structured, batched and binary CloudEvents become events; header values are percent-decoded."""
    async with webhooks(OPEN) as hooks:
        one, batch = cloudevent(1), b"[" + cloudevent(2) + b"," + cloudevent(3) + b"]"
        attributes = {
            "ce-specversion": "1.0",
            "ce-id": "4",
            "ce-source": "/testers/7",
            "ce-type": "test.result",
            "ce-subject": "Euro %E2%82%AC %F0%9F%98%80",
            "ce-correlationid": '"a \\"quoted\\" %25"',
        }
        for body, headers in (
            (one, {"content-type": "application/cloudevents+json; charset=UTF-8"}),
            (batch, {"content-type": "application/cloudevents-batch+json"}),
            (b'{"unit_id": "SN-4"}', {"content-type": "application/json", **attributes}),
            (b"[]", {"content-type": "application/cloudevents-batch+json"}),
        ):
            answer = await hooks.post("open", body, headers)
            assert answer.status_code == 202, answer.text
        assert hooks.ids == [f"/testers/7#{number}" for number in (1, 2, 3, 4)]
        binary = hooks.events[3]
        assert (binary.key, binary.payload) == ("Euro € 😀", {"unit_id": "SN-4"})
        assert binary.metadata.correlation_id == 'a "quoted" %'


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ce-type": None}, "type"),
        ({"ce-specversion": None}, "specversion"),
        ({"ce-source": "%ff"}, "ce-source"),
        ({"ce-source": "%zz"}, "ce-source"),
        ({"ce-time": "yesterday"}, "time"),
        ({"ce-a-b": "x"}, "ce-a-b"),
        ({"ce-data": "x"}, "ce-data"),
    ],
)
async def test_attribute_that_is_wrong_is_named(changes, named):
    """The problem document names the attribute of a binary CloudEvent that can't be read."""
    headers = {"ce-specversion": "1.0", "ce-id": "4", "ce-source": "/x", "ce-type": "test.result", **changes}
    async with webhooks(OPEN) as hooks:
        answer = await hooks.post("open", b"{}", {key: text for key, text in headers.items() if text})
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert f'"{named}"' in answer.json()["detail"]


async def test_batch_with_a_bad_part_is_refused_whole():
    """A caller can hear: nothing of a batch is journalled or dead, and each mistake is told."""
    async with webhooks({**OPEN, "format": "events"}, adapter=unit_adapter) as hooks:
        answer = await hooks.post("open", b'[{"unit": "1"}, {"unit": 2}, {}]')
        assert answer.status_code == 400
        assert answer.json() == {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "[1].unit: is missing",
            "errors": [{"detail": "[1].unit: is missing"}, {"detail": "[2].unit: is missing"}],
        }
        assert not [entry async for entry in _raws(hooks)]


async def test_cfx_envelopes():
    """A CFX message is taken as body, packed or not, and its events have the ids that CFX gives them."""
    body = IN_CIRCUIT.encode()
    async with webhooks({**OPEN, "format": "cfx"}, adapter=cfx_adapter) as hooks:
        plain = await hooks.post("open", body, {"Content-Type": "application/json"})
        packed = await hooks.post("open", gzip.compress(body), {"Content-Encoding": "gzip"})
        assert plain.status_code == packed.status_code == 202
        assert plain.json() == packed.json() == {"event_ids": hooks.ids}
        assert [event.payload["unit_id"] for event in hooks.events] == ["SN-7001", "SN-7002"]


async def test_media_types():
    """What is not JSON in UTF-8 is refused with 415 before anybody reads it."""
    async with webhooks(OPEN) as hooks:
        for content_type, status in {
            "application/x-www-form-urlencoded": 415,
            "text/plain": 415,
            "application/cloudevents+avro": 415,
            "application/json; charset=utf-16": 415,
            "application/json;charset=UTF-8": 202,
            "application/vnd.acme+json": 202,
        }.items():
            answer = await hooks.post("open", cloudevent(), {"Content-Type": content_type})
            assert answer.status_code == status, content_type
        answer = await hooks.post("open", cloudevent(), {"Content-Encoding": "br"})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")


async def test_other_paths_and_methods():
    """Other pages are 404, other methods 405, each with a problem document."""
    async with webhooks(MES) as hooks:
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = await hooks.client.request(method, "/hooks/mes")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        for path in (
            "/",
            "/hooks",
            "/hooks/",
            "/hooks/mes/",
            "/hooks/a/b",
            "/openapi.json",
            "/hooks/%2e%2e/x",
        ):
            answer = await hooks.client.post(path)
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "application/problem+json"


async def test_rate_of_a_hook():
    """A hook that is called too often says when to come back; others are not held up."""
    slow = {**OPEN, "requests_per_minute": 2}
    async with webhooks(slow, {**OPEN, "name": "other"}) as hooks:
        answers = [await hooks.post("open", cloudevent(number)) for number in range(2)]
        assert [answer.status_code for answer in answers] == [202, 429]
        assert 1 < int(answers[1].headers["retry-after"]) <= 30
        assert (await hooks.post("other", cloudevent(9))).status_code == 202
        assert hooks.ids == ["/testers/7#0", "/testers/7#9"]


async def test_kept_headers():
    """What a mapping may need of the headers is kept with the message, and no credential."""
    seen = []

    def reading(message):
        seen.append(message)
        return unit_adapter(message)

    hook = {"name": "plc", "token": TOKEN, "format": "events", "headers": ["X-Station"]}
    async with webhooks(hook, adapter=reading) as hooks:
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "X-Station": "ICT-1",
            "Cookie": "a=b",
            "X-GitHub-Delivery": "7",
            "User-Agent": "plc",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "Idempotency-Key": "k",
        }
        assert (await hooks.post("plc", b'{"unit": "1"}', headers)).status_code == 202
    assert seen[0].address == "/hooks/plc"
    assert json.loads(json.dumps(seen[0].properties)) == {
        "x-station": "ICT-1",
        "x-github-delivery": "7",
        "user-agent": "plc",
        "traceparent": headers["traceparent"],
        "idempotency-key": "k",
        "identity": "/hooks/plc#k",
        "client": "127.0.0.1",
    }
