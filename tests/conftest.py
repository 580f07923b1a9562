"""What all tests share: the switch that leaves real brokers out, and the brokers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from brokers import BrokerUnavailable, RabbitMQ

if TYPE_CHECKING:
    from brokers.mosquitto import Mosquitto
    from brokers.postgres import PostgreSQL

_BROKER_FIXTURES = frozenset(
    {"broker", "own_broker", "postgres", "own_postgres", "mosquitto", "own_mosquitto"}
)
#: Parameters of tests that mean a server.
_SERVERS = frozenset({"postgres"})
_left_out = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to run without real brokers: somebody's choice, never made by the suite itself."""
    parser.addoption(
        "--no-brokers",
        action="store_true",
        help="leave out the tests that need a real broker or database (the suite starts its own)",
    )


def pytest_configure() -> None:
    """Let programs that the tests start hear Ctrl-C, also where the suite runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say first what will be left out."""
    return "brokers: left out (--no-brokers)" if config.getoption("--no-brokers") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a broker, and deselect it when asked to."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        is_one = _BROKER_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if is_one or any(isinstance(value, str) and value in _SERVERS for value in parameters):
            item.add_marker(pytest.mark.broker)
    if not config.getoption("--no-brokers"):
        return
    left_out = [item for item in items if item.get_closest_marker("broker")]
    config.stash[_left_out] = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("broker")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say last what was left out, so that nobody takes the result for the whole."""
    count = config.stash.get(_left_out, 0)
    if count:
        terminalreporter.section("brokers")
        terminalreporter.line(
            f"{count} tests with a real broker or database were left out (--no-brokers).", yellow=True
        )


def _start(folder_factory: pytest.TempPathFactory, name: str) -> RabbitMQ:
    node = None
    try:
        node = RabbitMQ(folder_factory.mktemp(name))
        node.start()
    except BrokerUnavailable as error:
        if node is not None:
            node.end()
        pytest.fail(str(error), pytrace=False)
    return node


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """Give the RabbitMQ that all tests share. Use names of your own; never stop it."""
    node = _start(tmp_path_factory, "rabbitmq")
    yield node
    node.end()


@pytest.fixture(scope="module")
def _mortal_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    node = _start(tmp_path_factory, "mortal-rabbitmq")
    yield node
    node.end()


@pytest.fixture
def own_broker(_mortal_broker: RabbitMQ) -> RabbitMQ:
    """Give a running RabbitMQ that the test may stop, kill and restart; its module shares it, in turns."""
    _mortal_broker.start()
    return _mortal_broker


@pytest.fixture(scope="session")
def postgres() -> PostgreSQL:
    """Give the PostgreSQL that all tests share. Use schemas of your own (``fresh``); never stop it."""
    from brokers.postgres import PostgreSQL  # those without psycopg can run all others

    try:
        return PostgreSQL.shared()
    except BrokerUnavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def _mortal_postgres() -> Iterator[PostgreSQL]:
    from brokers.postgres import PostgreSQL

    try:
        server = PostgreSQL()
    except BrokerUnavailable as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.end()


@pytest.fixture
def own_postgres(_mortal_postgres: PostgreSQL) -> PostgreSQL:
    """Give a running PostgreSQL that the test may stop, kill and restart; its module shares it, in turns."""
    _mortal_postgres.start()
    return _mortal_postgres


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Give the Mosquitto that all tests share. Use topics and client ids of your own; never stop it."""
    from brokers.mosquitto import Mosquitto

    try:
        with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
            yield server
    except BrokerUnavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def own_mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Mosquitto]]:
    """Give what starts a Mosquitto with settings of the test's own, that it may stop, kill and restart."""
    from brokers.mosquitto import Mosquitto

    def start(**settings: Any) -> Mosquitto:
        try:
            return servers.enter_context(Mosquitto(tmp_path_factory.mktemp("own-mosquitto"), **settings))
        except BrokerUnavailable as error:
            pytest.fail(str(error), pytrace=False)

    with ExitStack() as servers:
        yield start
