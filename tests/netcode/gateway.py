# SPDX-License-Identifier: BSD-3-Clause
"""A gateway with profile netcode, and clients for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.gate import Gate, Samples
from tests.netcode.model import Client, Token, make_token
from tests.ports import free_port

PROTOCOL = 0x1122334455667788
KEY = bytes(range(32))
CAPACITY = 8


def key_file(directory: Path, text: str = KEY.hex(), mode: int = 0o600) -> str:
    """A file with the key of connect tokens."""
    path = directory / "netcode.key"
    path.write_text(text + "\n")
    path.chmod(mode)
    return str(path)


def configuration(directory: Path, engine: str = "epoll", **more: Any) -> dict[str, Any]:
    """A gateway over loopback's sockets."""
    return {
        "engine": engine,
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "netcode"}],
        "sessions": {"capacity": CAPACITY},
        "netcode": {"protocol_id": PROTOCOL, "private_key_file": key_file(directory)},
    } | more


class NetcodeGate(Gate):
    """It, running."""

    def __init__(self, config: dict[str, Any], directory: Path, **more: Any) -> None:
        super().__init__(config, directory, **more)
        self.port = int(config["listen"][0]["port"])
        self.server = f"127.0.0.1:{self.port}"

    def token(self, client_id: int = 1, **more: Any) -> Token:
        """Of a backend that is not the gateway's."""
        servers = more.pop("servers", [self.server])
        made = make_token(more.pop("key", KEY), servers, protocol_id=PROTOCOL, client_id=client_id, **more)
        return Token.read(made)

    def client(self, client_id: int = 1, **more: Any) -> Client:
        """Somebody with such a token."""
        return Client(self.token(client_id, **more), ("127.0.0.1", self.port))

    def connected(self, client_id: int = 1, **more: Any) -> Client:
        """Who got in with it."""
        client = self.client(client_id, **more)
        client.connect()
        return client

    def packets(self, kind: str) -> float:
        """How many were handled as this."""
        return self.metrics().value("pollgate_messages_total", type=f"netcode_{kind}")

    def drops(self, reason: str) -> float:
        """How many were dropped for this."""
        return self.metrics().value("pollgate_drops_total", reason=reason)


def conserved(samples: Samples) -> bool:
    """The books: every packet ended in one counter, and every answer or packet of ours was offered."""
    received = samples.value("pollgate_received_packets_total")
    handled = samples.value("pollgate_messages_total")
    forwarded = samples.value("pollgate_forwarded_packets_total")
    offered = samples.value("pollgate_transmit_offered_packets_total")
    return (
        received == handled + samples.value("pollgate_drops_total") + forwarded
        and offered
        == handled
        - samples.value("pollgate_unanswered_packets_total")
        + samples.value("pollgate_transmit_originated_packets_total")
        and samples.value("pollgate_messages_total", type="netcode_payload")
        == samples.value("pollgate_netcode_payloads_lost_total")
    )
