"""The page on webhooks says what is so."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from pathlib import Path

from brokers.certificates import Certificates
from webhook_steps import SECONDS, webhooks

from pywats_events.mapping import adapter_of
from pywats_events.transports.webhook import HookConfig, WebhookConfig

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text()


def blocks(language):
    """Give the blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def test_first_call(tmp_path):
    """The page's first hook takes the call that its shell makes, and gives an id like the page's."""
    make_secret, call = blocks("sh")
    await _run(make_secret, tmp_path)
    hook = tomllib.loads(blocks("toml")[0])["webhook"]["hooks"][0]
    secret = (tmp_path / hook.pop("secret_file")).read_text()
    adapter = adapter_of(WebhookConfig(hooks=[{**hook, "secret": secret}]).readings, formats={})
    async with webhooks({**hook, "secret": secret}, adapter=adapter) as hooks:
        said = await _run(call.replace("http://127.0.0.1:8085", hooks.transport.url), tmp_path)
        assert re.sub(r"\d+", "N", said) == re.sub(r"\d+", "N", blocks("json")[0].strip())
        assert json.loads(said)["event_ids"] == hooks.ids


async def _run(script, folder):
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script, cwd=folder, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    async with asyncio.timeout(SECONDS):
        said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


def test_example_of_tls(tmp_path):
    """The page's example of TLS is a configuration."""
    files = Certificates.make(tmp_path)
    webhook = tomllib.loads(blocks("toml")[1])["webhook"]
    webhook |= {"cert_file": files.server, "key_file": files.key, "ca_file": files.authority}
    assert WebhookConfig(**webhook).hooks[0].authentication == "certificate"


def test_defaults():
    """The limits on the page are those of the configuration."""
    hook, config = HookConfig(name="a", auth="none"), WebhookConfig()
    table = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+)", PAGE, re.MULTILINE))
    found = {name: int(text.replace(",", "")) for name, text in table.items()}
    assert found == {
        "max_bytes": hook.max_bytes // 1024**2,
        "max_depth": hook.max_depth,
        "max_values": hook.max_values,
        "requests_per_minute": hook.requests_per_minute,
        "max_connections": config.max_connections,
        "header_timeout": config.header_timeout,
        "body_timeout": config.body_timeout,
        "journal_timeout": config.journal_timeout,
    }
