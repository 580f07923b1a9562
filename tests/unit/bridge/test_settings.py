"""The configuration: what is taken, what is refused and how that is said, and that no secret leaves."""

from __future__ import annotations

import copy
import re
import shutil
import tomllib
import traceback
from pathlib import Path
from typing import Any

import pytest
from brokers.certificates import Certificates

from pywats_bridge.composition import outgoing_of
from pywats_bridge.readers import MQTT, readers_of
from pywats_bridge.settings import BridgeSettings, ConfigurationError, load, rules_of, settings_of
from pywats_events import RawMessage

README = Path(__file__).parents[3] / "README.md"
SECRET = "s3cr3t-W0RD"

GOOD: dict[str, Any] = {
    "wats": {"url": "https://acme.wats.com", "token": "a-token"},
    "cfx": {"amqp": {"host": "broker", "password": "a-password"}},
    "stations": [{"handle": "//Acme/*", "process": 30}],
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """Give the good document with changes: keys are ways with dots, None takes a key away."""
    document = copy.deepcopy(GOOD)
    for way, value in changes.items():
        *sections, key = way.split(".")
        place = document
        for section in sections:
            place = place.setdefault(section, {})
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return document


def station(**said: Any) -> dict[str, Any]:
    return {"stations": [{"handle": "x", **said}]}


def of(changes: dict[str, Any], base: Path = Path()) -> BridgeSettings:
    return settings_of(changed(changes), base=base)


def mistakes(changes: dict[str, Any], base: Path = Path()) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        of(changes, base)
    return refused.value.mistakes


def of_file(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    return refused.value.mistakes


# --- what is taken


def readme_example() -> str:
    example, _ = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    return example


def test_the_example_of_the_readme_loads(tmp_path):
    """Who copies the example and writes the two secret files has a configuration that works."""
    for name in ("wats-token", "broker-password"):
        (tmp_path / name).write_text(f"content-of-{name}\n")
    path = tmp_path / "bridge.toml"
    path.write_text(readme_example().replace("/run/secrets/", ""), encoding="utf-8")

    settings = load(path)

    assert settings.wats.token.get_secret_value() == "content-of-wats-token"
    assert settings.cfx.amqp.password.get_secret_value() == "content-of-broker-password"
    assert settings.rules.station("//Acme/Line1/ICT07").process == 30
    assert settings.rules.station("//Acme/Line1/AOI01").process_by_method == {"AOI": 140}
    assert [rule.part_number for rule in settings.rules.recipes] == ["PCB-100"]
    assert [rule.work_order for rule in settings.rules.work_orders] == ["WO-77*"]


def test_the_example_of_the_readme_loads_with_secrets_of_the_environment(tmp_path, monkeypatch):
    """Where the environment gives the secrets, the files that the example names need not be there."""
    monkeypatch.setenv("PYWATS_BRIDGE_WATS__TOKEN", "token-of-environment")
    monkeypatch.setenv("PYWATS_BRIDGE_CFX__AMQP__PASSWORD", "password-of-environment")
    path = tmp_path / "bridge.toml"
    path.write_text(readme_example().replace("/run/secrets/", "not-there/"), encoding="utf-8")

    settings = load(path)

    assert settings.wats.token.get_secret_value() == "token-of-environment"
    assert settings.cfx.amqp.password.get_secret_value() == "password-of-environment"


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    """Windows' editors write one, into the configuration and into files with secrets."""
    (tmp_path / "token").write_text("a-token\r\n", encoding="utf-8-sig")
    path = tmp_path / "bridge.toml"
    path.write_text('[wats]\nurl = "http://w"\ntoken_file = "token"\n[cfx]\n', encoding="utf-8-sig")
    assert load(path).wats.token.get_secret_value() == "a-token"


def test_rules_can_be_read_alone(tmp_path):
    """What needs no server needs no secret either."""
    path = tmp_path / "bridge.toml"
    path.write_text(readme_example(), encoding="utf-8")
    assert rules_of(path).recipes[0].recipe == "PCB100-*"
    path.write_text('[wats]\ntoken = 5\n[[recipes]]\npart_number = "P"\n')
    with pytest.raises(ConfigurationError) as refused:
        rules_of(path)
    assert refused.value.mistakes == ["recipes[1].recipe: is missing"]


def test_rules_alone_are_those_of_the_environment_too(tmp_path, monkeypatch):
    """So that a dry run shows what the bridge would do."""
    monkeypatch.setenv("PYWATS_BRIDGE_REPORT__VERDICT", "station")
    path = tmp_path / "bridge.toml"
    path.write_text('[report]\nverdict = "worst"\n')
    assert rules_of(path).report.verdict == "station"


# --- the environment


@pytest.mark.parametrize(
    ("variable", "value", "way", "found"),
    [
        ("LOG_LEVEL", "debug", "log_level", "debug"),
        ("CFX__AMQP__HOST", "other", "cfx.amqp.host", "other"),
        ("CFX__AMQP__PORT", "5673", "cfx.amqp.port", 5673),
        ("CFX__AMQP__DECLARE_QUEUE", "false", "cfx.amqp.declare_queue", False),
        ("CFX__AMQP__BINDING_KEYS", '["a.#", "b.#"]', "cfx.amqp.binding_keys", ("a.#", "b.#")),
        ("CFX__AMQP__QUEUE_ARGUMENTS", '{"x-a": 1}', "cfx.amqp.queue_arguments", {"x-a": 1}),
        ("DELIVERY__MAX_RETRIES", "2", "delivery.max_retries", 2),
        ("REPORT__VERDICT", "station", "rules.report.verdict", "station"),
        ("FAULTS__CODES", '{"W1*": "ticket"}', "rules.faults.codes", {"W1*": "ticket"}),
        ("PROCESS_BY_METHOD", '{"ICT": 31}', "rules.process_by_method", {"ICT": 31}),
    ],
)
def test_the_environment_wins_over_the_file(monkeypatch, variable, value, way, found):
    """Each key of the page can be overridden under the name that the page says."""
    monkeypatch.setenv(f"PYWATS_BRIDGE_{variable}", value)
    place: Any = of({"report.verdict": "worst", "log_level": "error", "process_by_method": {"ICT": 30}})
    for name in way.split("."):
        place = getattr(place, name)
    assert place == found


def test_stations_of_the_environment(monkeypatch):
    """Lists of tables are JSON there, and replace those of the file."""
    monkeypatch.setenv("PYWATS_BRIDGE_STATIONS", '[{"handle": "//Other", "process": 60}]')
    assert [station.handle for station in of({}).rules.stations] == ["//Other"]


def test_a_bridge_can_be_configured_by_the_environment_alone(tmp_path, monkeypatch):
    """As containers are."""
    (tmp_path / "token").write_text("a-token")
    for name, value in {
        "WATS__URL": "http://wats",
        "WATS__TOKEN_FILE": str(tmp_path / "token"),
        "CFX__AMQP__URL": f"amqp://user:{SECRET}@broker:5000/line",
    }.items():
        monkeypatch.setenv(f"PYWATS_BRIDGE_{name}", value)
    settings = settings_of({}, base=Path())
    assert settings.wats.token.get_secret_value() == "a-token"
    assert settings.cfx.amqp.broker == "amqp://user@broker:5000/line"
    assert settings.cfx.amqp.password.get_secret_value() == SECRET


def test_a_secret_and_its_file_are_one_key_to_the_environment(tmp_path, monkeypatch):
    """The environment's file wins over the secret in the configuration."""
    (tmp_path / "token").write_text("from-file")
    monkeypatch.setenv("PYWATS_BRIDGE_WATS__TOKEN_FILE", "token")
    assert of({}, base=tmp_path).wats.token.get_secret_value() == "from-file"


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("CFX__AMQP__PORT", "many", "cfx.amqp.port: "),
        ("WATS__TOKN", "x", "wats.tokn: no such key; did you mean token?"),
        ("WAT__TOKEN", SECRET, "PYWATS_BRIDGE_WAT__TOKEN: no such key; did you mean wats?"),
        ("STATION__0", SECRET, "PYWATS_BRIDGE_STATION__0: no such key; did you mean stations?"),
        (
            "WATS_TOKEN",
            SECRET,
            "PYWATS_BRIDGE_WATS_TOKEN: no such key; two underscores stand after a section",
        ),
        ("WATS", SECRET, "PYWATS_BRIDGE_WATS: is not JSON"),
        ("STATIONS", f"[{SECRET}", "PYWATS_BRIDGE_STATIONS: is not JSON"),
        ("CFX__AMQP__QUEUE_ARGUMENTS", SECRET, "PYWATS_BRIDGE_CFX__AMQP__QUEUE_ARGUMENTS: is not JSON"),
        ("WATS__TOKEN_FILE", "nowhere", "wats.token_file: nowhere can't be read: No such file"),
    ],
)
def test_a_mistake_in_the_environment_is_one_line_too(monkeypatch, variable, value, line):
    """It names the key or the variable, and never what stands in it."""
    monkeypatch.setenv(f"PYWATS_BRIDGE_{variable}", value)
    (said,) = mistakes({})
    assert said.startswith(line)
    assert SECRET not in said


def test_variables_of_other_programs_are_no_mistakes(monkeypatch):
    """Kubernetes sets such ones for a service that is called like the bridge."""
    for name in ("PORT", "SERVICE_HOST", "PORT_8085_TCP"):
        monkeypatch.setenv(f"PYWATS_BRIDGE_{name}", "tcp://10.0.0.1:8085")
    assert of({}).log_level == "info"


# --- mistakes


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"wats.token": None}, "wats.token: is missing; set PYWATS_BRIDGE_WATS__TOKEN"),
        ({"wats": None}, "wats: is missing; add [wats] with url and token"),
        ({"cfx": None}, "cfx: is missing; add [cfx.amqp]"),
        ({"wats": "x"}, "wats: should be a table"),
        ({"wats.token": 12345}, "wats.token: should be text"),
        ({"wats.token": ""}, "wats.token: must be the text that WATS issued"),
        ({"wats.token": "two words"}, "wats.token: must be the text that WATS issued"),
        ({"wats.url": "acme.wats.com"}, "wats.url: should look like https://acme.wats.com"),
        ({"wats.url": "ftp://acme.wats.com"}, "wats.url: should look like"),
        ({"wats.url": "https://"}, "wats.url: should look like"),
        ({"wats.url": "https://wats:99999"}, "wats.url: should look like"),
        ({"wats.url": "https://[::1"}, "wats.url: should look like"),
        ({"wats.url": "https://ac me"}, "wats.url: should look like"),
        ({"wats.url": "https://u:p@acme.wats.com"}, "wats.url: must not carry user and password"),
        ({"wats.proxy": "proxy"}, "wats.proxy: should look like http://"),
        ({"wats.connections": 0}, "wats.connections: "),
        ({"wats.tokn": "x"}, "wats.tokn: no such key; did you mean token?"),
        ({"watts": {}}, "watts: no such key; did you mean wats?"),
        ({"recipies": []}, "recipies: no such key; did you mean recipes?"),
        ({"zzz": 1}, "zzz: no such key"),
        ({"rules": {"stations": []}}, "rules: no such key; stations, recipes"),
        ({"log_level": "loud"}, "log_level: Input should be 'debug', 'info', 'warning' or 'error'"),
        ({"journal.kind": "stone"}, "journal.kind: "),
        ({"cfx.amqp.prefetch": 0}, "cfx.amqp.prefetch: "),
        ({"cfx.amqp.password": 5}, "cfx.amqp.password: should be text"),
        ({"cfx.amqp.hots": "x"}, "cfx.amqp.hots: no such key; did you mean host?"),
        ({"cfx.amqp.binding_keys": "#"}, "cfx.amqp.binding_keys: should be a list"),
        ({"cfx.amqp.url": "http://x"}, "cfx.amqp: url is not amqp://user:password@host:port/vhost"),
        ({"cfx.amqp.url": "amqp://other"}, "cfx.amqp: url and host say different things"),
        ({"stations": [{"process": 30}]}, "stations[1].handle: is missing"),
        ({"stations": {"handle": "x"}}, "stations: should be a list of tables, [[stations]]"),
        ({"stations": ["//Acme"]}, "stations[1]: should be a table"),
        (station(proces=1), "stations[1].proces: no such key; did you mean process?"),
        (station(process=99999), "stations[1].process: "),
        (station(process="ICT"), "stations[1].process: "),
        (station(process_by_method={"ICT": "x"}), "stations[1].process_by_method.ICT: "),
        (station(recipes={"R": {}}), "stations[1].recipes.R.part_number: is missing"),
        (station(serial_regex="("), 'stations[1].serial_regex: "(" is not a regular'),
        (station(machine_name="{nam}"), 'stations[1].machine_name: "{nam}" may hold'),
        ({"serial_regexes": ["(?P<pn>.+)", "("]}, 'serial_regexes[2]: "(" is not a regular expression'),
        ({"report.verdict": "best"}, "report.verdict: Input should be 'worst' or 'station'"),
        ({"report.verdic": "worst"}, "report.verdic: no such key; did you mean verdict?"),
        ({"report.composed_serial": "x"}, "report.composed_serial: "),
        ({"assets.create": True}, "assets: create needs station_type"),
        ({"wats.token_file": "t"}, "wats.token_file: token is given too: give one of them"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_key_and_the_reason(tmp_path, changes, line):
    """As the key stands in the file: rules without a section, places in lists from 1."""
    (tmp_path / "t").write_text("x")
    (said,) = mistakes(changes, tmp_path)
    assert said.startswith(line)
    assert "\n" not in said
    assert "rules." not in said


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"log_level": "loud"}, '"loud"'),
        ({"cfx.amqp.prefetch": 0}, "0"),
        (station(process="ICT"), '"ICT"'),
        ({"cfx.amqp.password": 5}, None),
        ({"wats.token": True}, None),
    ],
)
def test_what_was_given_is_said_where_it_is_no_secret(tmp_path, changes, given):
    """Who made a mistake sees it; what may be a secret is never repeated."""
    (said,) = mistakes(changes, tmp_path)
    assert said.endswith(f", not {given}") if given else ", not" not in said


def test_several_mistakes_are_several_lines(tmp_path):
    """All of them at once, so that nobody mends one after the other."""
    text = """
        log_level = "loud"
        [wats]
        url = "wats"
        token_file = "nowhere"
        [cfx.amqp]
        prefetch = -1
        [[stations]]
        proces = 30
    """
    keys = [line.split(": ")[0] for line in of_file(tmp_path / "bridge.toml", text)]
    assert sorted(keys) == [
        "cfx.amqp.prefetch",
        "log_level",
        "stations[1].handle",
        "stations[1].proces",
        "wats.token_file",
        "wats.url",
    ]


def test_a_file_that_is_missing_says_how_to_name_another(tmp_path):
    """The path is shown as it was given."""
    with pytest.raises(ConfigurationError, match="no such file; give another one with --config") as refused:
        load(tmp_path / "brigde.toml")
    assert str(tmp_path / "brigde.toml") in refused.value.mistakes[0]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[wats]\nurl = "x"\ntoken = abc\n', "line 3"),
        (f'[wats]\ntoken = "{SECRET}\n', "line 2"),
        ("[wats\n", "line 1"),
        ('[wats]\nurl = "a"\nurl = "b"\n', "line 3"),
    ],
)
def test_what_is_not_toml_names_the_line(tmp_path, text, place):
    """And shows nothing of it."""
    (line,) = of_file(tmp_path / "bridge.toml", text)
    assert "not TOML" in line
    assert place in line
    assert SECRET not in line


@pytest.mark.parametrize("path", [r"C:\Users\bridge\token", r"C:\secrets\wats"])
def test_a_path_of_windows_in_double_quotes_is_told_how_to_write(tmp_path, path):
    """TOML takes its backslashes for escapes, and what it says of them helps nobody."""
    (line,) = of_file(tmp_path / "bridge.toml", f'[wats]\nurl = "x"\ntoken_file = "{path}"\n')
    assert "line 3" in line
    assert line.endswith("; write a path with /, or in single quotes")


def test_a_configuration_in_another_encoding_names_the_line_and_the_remedy(tmp_path):
    """As an editor on Windows saves "Prüffeld" that was told nothing of UTF-8."""
    path = tmp_path / "bridge.toml"
    path.write_bytes('[[stations]]\nlocation = "Prüffeld"\n'.encode("cp1252"))
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert refused.value.mistakes == [
        f"{path}: can't be read: line 2 is not in UTF-8; save the file as UTF-8"
    ]


def test_the_file_of_a_secret_is_guessed_too():
    """`tokenfile` is nearer to `token_file` than to `token`."""
    assert "wats.tokenfile: no such key; did you mean token_file?" in mistakes({"wats.tokenfile": "x"})
    assert "cfx.amqp.passwordfile: no such key; did you mean password_file?" in mistakes(
        {"cfx.amqp.passwordfile": "x"}
    )


def test_a_handler_of_ones_own_is_told_how_to_be_named():
    """Its module and class, not the pattern that they are checked by."""
    assert mistakes({"handlers": ["andon"]}) == ["handlers[1]: should look like package.module:Class"]


def test_what_is_no_text_or_no_file_is_one_line(tmp_path):
    """A configuration saved as UTF-16, and a folder in its place."""
    path = tmp_path / "bridge.toml"
    path.write_bytes("[wats]".encode("utf-16"))
    with pytest.raises(ConfigurationError, match="can't be read") as refused:
        load(path)
    assert len(refused.value.mistakes) == 1
    with pytest.raises(ConfigurationError, match=r"can't be read: .*directory"):
        load(tmp_path)


# --- secrets and other files


def test_secret_files_start_from_the_folder_of_the_configuration(tmp_path, monkeypatch):
    """Wherever the program was started from; line ends at the end of the file do not count."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "token").write_text("a-token\n")
    (folder / "url").write_text(f"amqps://user:{SECRET}@broker\n")
    path = folder / "bridge.toml"
    path.write_text('[wats]\nurl = "http://w"\ntoken_file = "token"\n[cfx.amqp]\nurl_file = "url"\n')
    monkeypatch.chdir(tmp_path)
    for way in (path, Path("etc/bridge.toml")):
        settings = load(way)
        assert settings.wats.token.get_secret_value() == "a-token"
        assert settings.cfx.amqp.password.get_secret_value() == SECRET
        assert settings.cfx.amqp.broker == "amqps://user@broker:5671/"


@pytest.mark.parametrize("key", ["wats.token", "cfx.amqp.password", "cfx.amqp.url"])
def test_a_secret_file_that_cannot_be_read_is_one_line(tmp_path, key):
    """With the key, the path and the system's reason; the secret is not missing besides."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, reason in {"gone": "No such file", ".": "directory", "bytes": "not a text"}.items():
        (line,) = mistakes({key: None, f"{key}_file": name}, tmp_path)
        assert line.startswith(f"{key}_file: {name} can't be read: ")
        assert reason in line
    (line,) = mistakes({key: None, f"{key}_file": 5}, tmp_path)
    assert line == f"{key}_file: should be the path of a file, in quotes"


def test_the_other_ways_of_the_readme_can_be_used(tmp_path):
    """Its mappings, its hook and its way out are made as the bridge makes them; CFX is not needed."""
    _, example = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    document = tomllib.loads(example)
    for hook in document["webhook"]["hooks"]:
        (tmp_path / "secret").write_text("whsec_" + "A" * 32)
        hook["secret_file"] = "secret"
    settings = settings_of({**document, "wats": GOOD["wats"]}, base=tmp_path)
    read = readers_of(settings).adapters[MQTT]
    (event,) = read(RawMessage(b'{"sn": "A", "verdict": "OK"}', address="factory/L1/T1/done"))
    assert (event.source, event.payload["unit_id"]) == ("//Acme/L1/T1", "A")
    assert [target.name for target in outgoing_of(settings).handlers] == ["outgoing-andon"]


def test_secret_files_of_lists_are_read_too(tmp_path):
    """A webhook's secret stands in a file beside the configuration; one that is not there is one line."""
    (tmp_path / "mes").write_text("whsec_" + "A" * 32 + "\n")
    hooks = [{"name": "mes", "secret_file": "mes"}, {"name": "erp", "secret_file": "gone"}]
    (line,) = mistakes({"webhook.hooks": hooks}, tmp_path)
    assert line == "webhook.hooks[2].secret_file: gone can't be read: No such file or directory"
    settings = of({"webhook.hooks": hooks[:1]}, tmp_path)
    assert settings.webhook is not None
    assert settings.webhook.hooks[0].secret[0].get_secret_value() == "whsec_" + "A" * 32


def test_messages_may_come_by_mqtt_or_webhooks_alone():
    """A bridge without CFX is a bridge; one to which nothing comes is a mistake that names all ways."""
    topics = [{"topic": "line/{station}/result", "profile": "pass-fail"}]
    assert of({"cfx": None, "mqtt": {"subscriptions": topics}}).cfx is None
    (line,) = mistakes({"cfx": None})
    assert line.startswith("cfx: is missing; add [cfx.amqp] with host")
    assert "[[mqtt.subscriptions]]" in line
    assert "[[webhook.hooks]]" in line


def test_an_empty_token_file_is_a_mistake(tmp_path):
    """Before the first request fails for it."""
    (tmp_path / "token").write_text("\n")
    (line,) = mistakes({"wats.token": None, "wats.token_file": "token"}, tmp_path)
    assert line.startswith("wats.token: must be the text that WATS issued")


def test_certificates_start_from_the_folder_of_the_configuration_too(tmp_path):
    """One that can't be read, or is none, is known before the first connection."""
    shutil.copy(Certificates.make(tmp_path / "made").authority, tmp_path / "ca.pem")
    settings = of({"wats.ca_file": "ca.pem", "cfx.amqp.ca_file": "ca.pem", "cfx.amqp.tls": True}, tmp_path)
    assert settings.wats.ca_file == settings.cfx.amqp.ca_file == tmp_path / "ca.pem"
    assert mistakes({"wats.ca_file": "gone.pem", "cfx.amqp.ca_file": "gone.pem"}, tmp_path) == [
        "wats.ca_file: gone.pem can't be read: No such file or directory",
        "cfx.amqp.ca_file: gone.pem can't be read: No such file or directory",
    ]
    (tmp_path / "words.pem").write_text("no certificate")
    (line,) = mistakes({"wats.ca_file": "words.pem"}, tmp_path)
    assert line.endswith("words.pem holds no certificates (PEM)")


@pytest.mark.parametrize(
    "changes",
    [
        {"wats.token": SECRET},
        {"wats.proxy": f"http://user:{SECRET}@proxy:3128"},
        {"cfx.amqp.password": SECRET},
        {"cfx.amqp": {"url": f"amqp://user:{SECRET}@broker/line"}},
    ],
)
def test_no_secret_is_shown(changes):
    """Not by repr, str or any dump."""
    settings = of(changes)
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]
    shown += [repr(settings.wats), repr(settings.cfx), str(settings.cfx.amqp), settings.cfx.amqp.broker]
    assert not [one for one in shown if SECRET in one]


@pytest.mark.parametrize(
    "changes",
    [
        {"wats.token": {"value": SECRET}},
        {"wats.token": [SECRET]},
        {"wats.token": f"{SECRET} with more"},
        {"wats.tokens": SECRET},
        {"wats": SECRET},
        {"wats.url": f"https://user:{SECRET}@acme.wats.com"},
        {"wats.url": f"user:{SECRET}@acme.wats.com"},
        {"wats.proxy": f"socks://user:{SECRET}@proxy"},
        {"cfx.amqp": SECRET},
        {"cfx.amqp.password": [SECRET]},
        {"cfx.amqp.url": f"amqp://user:{SECRET}@broker:port/line"},
        {"cfx.amqp.url": f"http://user:{SECRET}@broker"},
        {"cfx.amqp.url": f"amqp://user:{SECRET}@other"},
        {"cfx.amqp.url": [f"amqp://user:{SECRET}@other"]},
        {"password": SECRET},
    ],
)
def test_no_secret_stands_in_the_text_of_a_mistake(changes):
    """Nor in what a traceback would show: causes and contexts are looked at too."""
    with pytest.raises(ConfigurationError) as refused:
        of(changes)
    trace = "".join(traceback.format_exception(refused.value))
    assert SECRET not in str(refused.value)
    assert SECRET not in trace.replace(repr(changes), "")
