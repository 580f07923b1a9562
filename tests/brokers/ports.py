"""Free TCP ports for servers that must come back on the same port after a restart."""

from __future__ import annotations

import random
import socket

# Below the range that systems hand to outgoing connections: a client that retries a port of that range
# while nobody listens on it can end up connected to itself.
_LOWEST, _HIGHEST = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """Give different ports of loopback that nobody listens on now."""
    found: list[int] = []
    candidates = random.SystemRandom().sample(range(_LOWEST, _HIGHEST), 500)
    for port in candidates:
        if len(found) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found
