"""Opens a connection to a broker by its configuration."""

from __future__ import annotations

from pywats_cfx.amqp.tls import HandshakeWasted, tls_context
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.errors import ConnectionLost, NotAmqp10
from pywats_cfx.amqp10.sasl import ClientLogin
from pywats_cfx.config import AMQPConfig


async def open_broker(config: AMQPConfig, *, container: str) -> Connection:
    """Connect, log in and open.

    Args:
        config: the broker.
        container: our name for the connection, which brokers show.

    Raises:
        OSError: no connection, or no trust.
        Amqp10Error: the broker refuses us, or does not speak AMQP 1.0.
    """
    try:
        return await _open(config, container=container)
    except (NotAmqp10, ConnectionLost) as error:
        if config.tls and (isinstance(error.__cause__, ConnectionResetError) or _said_nothing(error)):
            raise HandshakeWasted from error
        raise


def _said_nothing(error: NotAmqp10 | ConnectionLost) -> bool:
    return isinstance(error, NotAmqp10) and not error.answer


async def _open(config: AMQPConfig, *, container: str) -> Connection:
    return await Connection.open(
        config.host,
        config.port,
        login=_login(config),
        container=container,
        hostname=_hostname(config),
        tls=await tls_context(config),
        idle_timeout=_idle_timeout(config),
        timeout=config.connect_timeout,
    )


def _login(config: AMQPConfig) -> ClientLogin:
    match config.mechanism:
        case "PLAIN":
            return ClientLogin(user=config.username, password=config.password.get_secret_value())
        case "EXTERNAL":
            return ClientLogin(external=True)
    return ClientLogin()


def _idle_timeout(config: AMQPConfig) -> float:
    """Proton asks for a sign of life in half of the time, and RabbitMQ gives none for less than a second."""
    return max(float(config.heartbeat), 2.0) if config.heartbeat else 0.0


def _hostname(config: AMQPConfig) -> str:
    """Name the virtual host as RabbitMQ wants it; other brokers want the host as we know it."""
    return config.host if config.virtual_host == "/" else f"vhost:{config.virtual_host}"
