# SPDX-License-Identifier: BSD-3-Clause
"""The model gateway behind a UDP socket of this host, in a thread of its own."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from pyshim.protocol.client.ticket import Ticket
from tests.session.model_gateway import ModelGateway, Sent

LOOPBACK = "127.0.0.1"


class ModelServer:
    """A context manager; `gateway` is the model, to be looked at while holding `lock`."""

    def __init__(self, address: str = LOOPBACK) -> None:
        self.address = address
        self.gateway = ModelGateway(secrets.token_bytes)
        self.lock = threading.Lock()
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(0.005)
        self._peers: list[Any] = [None]  # by the model's address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.sources: set[Any] = set()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def issue(self, player_id: int) -> Ticket:
        with self.lock:
            ticket = self.gateway.issue(player_id)
        return Ticket(ticket.session, ticket.key, self.address, self.port)

    def issue_json(self, player_id: int) -> str:
        """A ticket as the control API's answer has it."""
        ticket = self.issue(player_id)
        key = base64.urlsafe_b64encode(ticket.key).decode().rstrip("=")
        return json.dumps(
            {
                "session": ticket.session,
                "key": key,
                "address": f"[{ticket.host}]:{ticket.port}"
                if ":" in ticket.host
                else f"{ticket.host}:{ticket.port}",
                "expires": None,
            }
        )

    def send(self, sent: Sent) -> None:
        for address, datagram in sent:
            self._socket.sendto(datagram, self._peers[address])

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                datagram, source = self._socket.recvfrom(2048)
            except TimeoutError:
                datagram = b""
            with self.lock:
                if datagram:
                    if source not in self._peers:
                        self._peers.append(source)
                    self.send(self.gateway.receive(self._peers.index(source), datagram, time.monotonic()))
                self.send(self.gateway.due(time.monotonic()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        self._socket.close()
