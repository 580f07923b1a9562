"""Who is let in, against all that can stand in headers."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook
from starlette.datastructures import Headers

from pywats_events.transports.webhook.config import HookConfig
from pywats_events.transports.webhook.credentials import Gate

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_700_000_000
#: All that HTTP servers let through.
VALUES = st.one_of(
    st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n\0")),
    st.sampled_from(
        [b"v1," + b64encode(b"x" * 32), b"v1,AAAA v1,", b"1700000000", b"1e9", b"-1", b"Bearer ", b"sha256="]
    ),
)
GATES = [
    HookConfig(name="a", secret=SECRET),
    HookConfig(name="b", auth="hmac", secret="It's a secret"),
    HookConfig(name="c", token="a-token-of-mine"),
    HookConfig(name="d", auth="certificate"),
]


def signed(body, *, key="msg_1", at=NOW, secret=SECRET):
    """Sign as the published library does."""
    signature = Webhook(secret).sign(key, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": key, "webhook-timestamp": str(at), "webhook-signature": signature}


def refusal(gate, headers, body=b"{}"):
    """Say why a call is not let in."""
    proof = gate.begin(Headers(headers), None)
    proof.update(body)
    return proof.refusal()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"webhook-id",
                    b"webhook-timestamp",
                    b"webhook-signature",
                    b"authorization",
                    b"x-hub-signature-256",
                ]
            ),
            VALUES,
        ),
        max_size=6,
    ),
    st.binary(max_size=20),
)
def test_no_headers_break_a_gate(raw, body):
    """Whatever is in the headers of a call, it is refused with a reason, and by decoys too."""
    for hook in GATES:
        for gate in (Gate(hook, clock=lambda: NOW), Gate.decoy(hook, clock=lambda: NOW)):
            proof = gate.begin(Headers(raw=raw), None)
            proof.update(body)
            assert proof.refusal()


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=50),
    st.from_regex(r"[!-~]{1,40}", fullmatch=True),
    st.lists(st.integers(1, 9), max_size=3),
)
def test_the_published_library_signs_what_we_let_in(text, key, cuts):
    """Any text that the library signs is let in, in whatever parts it comes, and no other one."""
    body = text.encode()
    gate = Gate(GATES[0], clock=lambda: NOW)
    headers = Headers(signed(body, key=key))
    proof, at = gate.begin(headers, None), 0
    for cut in cuts:
        proof.update(body[at : at + cut])
        at += cut
    proof.update(body[at:])
    assert proof.refusal() is None
    assert refusal(gate, headers, body + b" ")


def test_decoy_lets_nobody_in():
    """The gate of a hook that does not exist is passed neither with the secrets nor with a certificate."""
    certificate = {"subject": ((("commonName", "plc"),),)}
    for hook, headers in ((GATES[0], signed(b"{}")), (GATES[2], {"authorization": "Bearer a-token-of-mine"})):
        assert refusal(Gate(hook, clock=lambda: NOW), headers) is None
        assert refusal(Gate.decoy(hook, clock=lambda: NOW), headers)
    assert Gate(GATES[3]).begin(Headers(), certificate).refusal() is None
    assert Gate.decoy(GATES[3]).begin(Headers(), certificate).refusal()


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_headers_that_stand_twice(header):
    """A header of a signature that stands twice could mean either, so it means none."""
    headers = signed(b"{}")
    twice = [(name.encode(), text.encode()) for name, text in [*headers.items(), (header, headers[header])]]
    proof = Gate(GATES[0], clock=lambda: NOW).begin(Headers(raw=twice), None)
    assert proof.refusal()
    assert proof.is_refused


def test_signatures_of_several_secrets():
    """One good signature among many is enough; more than sixteen are not looked at."""
    right = signed(b"{}")
    other = "v1," + b64encode(b"x" * 32).decode()
    for before, is_good in ((15, True), (16, False)):
        headers = right | {"webhook-signature": " ".join([other] * before + [right["webhook-signature"]])}
        assert (refusal(Gate(GATES[0], clock=lambda: NOW), headers) is None) is is_good


def test_names_in_certificates():
    """A certificate is that of its common name and of its DNS names."""
    hook = HookConfig(name="d", auth="certificate", certificate_names=["plc-7"])
    for certificate, is_good in (
        ({"subject": ((("organizationName", "plc-7"),), (("commonName", "other"),))}, False),
        ({"subject": ((("commonName", "plc-7"),),)}, True),
        ({"subject": (), "subjectAltName": (("DNS", "x"), ("DNS", "plc-7"))}, True),
        ({"subject": (), "subjectAltName": (("email", "plc-7"),)}, False),
        ({}, False),
        (None, False),
    ):
        assert (Gate(hook).begin(Headers(), certificate).refusal() is None) is is_good
