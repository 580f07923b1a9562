"""Webhooks over TLS, and callers that show who they are by certificate."""

from __future__ import annotations

import ssl

import httpx
import pytest
from brokers.certificates import CLIENT, Certificates
from webhook_steps import SECRET, cloudevent, signed, webhooks

from pywats_events.transports.webhook import WebhookConfig

LISTEN = {"listen": "https://127.0.0.1:0"}
PLC = {"name": "plc", "auth": "certificate"}
MES = {"name": "mes", "secret": SECRET}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Give certificates."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


def trusting(files, certificate=None):
    """Give what a caller needs: our authority, and its own certificate if it has one."""
    context = ssl.create_default_context(cafile=files.authority)
    if certificate is not None:
        context.load_cert_chain(certificate, files.client_key)
    return context


async def test_https(files):
    """With a certificate the hooks listen with TLS, at an address that says so."""
    given = {"cert_file": files.server, "key_file": files.key}
    async with webhooks(MES, **LISTEN, **given, verify=trusting(files)) as hooks:
        assert hooks.transport.url.startswith("https://127.0.0.1:")
        answer = await hooks.post("mes", cloudevent(), signed(cloudevent()))
        assert (answer.status_code, len(hooks.events)) == (202, 1)
        with pytest.raises(httpx.TransportError):
            await hooks.client.get(hooks.transport.url.replace("https", "http"))


async def test_mutual_tls(files):
    """Who must show a certificate and has none, or one that is over, does not get in at all."""
    given = {"cert_file": files.server, "key_file": files.key, "ca_file": files.authority}
    right = trusting(files, files.client)
    async with webhooks(PLC, **LISTEN, **given, verify=right) as hooks:
        assert (await hooks.post("plc", cloudevent())).status_code == 202
        for wrong in (trusting(files), trusting(files, files.expired)):
            async with httpx.AsyncClient(base_url=hooks.transport.url, verify=wrong) as client:
                with pytest.raises(httpx.TransportError):
                    await client.post("/hooks/plc", content=cloudevent(2))
        assert len(hooks.events) == 1


async def test_certificate_of_somebody_else(files):
    """A hook may want a certificate of a certain name; another one's is 401."""
    given = {"cert_file": files.server, "key_file": files.key, "ca_file": files.authority}
    named = {**PLC, "certificate_names": [CLIENT]}
    other = {**PLC, "name": "other", "certificate_names": ["mes.acme.local"]}
    async with webhooks(named, other, **LISTEN, **given, verify=trusting(files, files.client)) as hooks:
        assert (await hooks.post("plc", cloudevent())).status_code == 202
        for name in ("other", "nowhere"):
            assert (await hooks.post(name, cloudevent())).status_code == 401


async def test_certificates_of_some(files):
    """Where certificates are optional, hooks that want one refuse who has none; others do not ask."""
    given = {"cert_file": files.server, "key_file": files.key, "ca_file": files.authority}
    given["client_certificate"] = "optional"
    async with webhooks(PLC, MES, **LISTEN, **given, verify=trusting(files)) as hooks:
        assert (await hooks.post("plc", cloudevent())).status_code == 401
        assert (await hooks.post("mes", cloudevent(), signed(cloudevent()))).status_code == 202


async def test_handshake_that_does_not_come(files):
    """Who connects and makes no handshake is not waited for."""
    given = {"cert_file": files.server, "key_file": files.key, "header_timeout": 0.2}
    async with webhooks(MES, **LISTEN, **given, verify=trusting(files)) as hooks:
        line = await hooks.connect()
        assert await line.ends()


def test_files_are_looked_at_with_the_configuration(files, tmp_path):
    """Certificates that can't be used are told by their file, when the configuration is read."""
    (tmp_path / "empty").write_text("")
    right = {**LISTEN, "cert_file": files.server, "key_file": files.key}
    for wrong, said in (
        ({"key_file": files.client_key}, str(files.client_key)),
        ({"cert_file": tmp_path / "missing"}, "missing"),
        ({"ca_file": tmp_path / "empty"}, "empty"),
        ({"hooks": [PLC]}, 'hook "plc"'),
        ({"listen": "http://127.0.0.1:0"}, "https"),
        ({"cert_file": None}, "key_file"),
    ):
        with pytest.raises(ValueError, match=said):
            WebhookConfig(**right | wrong)
    WebhookConfig(**right)
