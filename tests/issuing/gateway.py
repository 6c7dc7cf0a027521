# SPDX-License-Identifier: BSD-3-Clause
"""Gateways that issue sessions, and how tests ask them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.gate import Gate
from tests.ports import free_port

TOKEN = "a-token.of~this/test+0123456789=="
CAPACITY = 64


def configuration(directory: Path, **control: Any) -> dict[str, Any]:
    """A gateway over loopback's sockets; with its control API at a unix socket, or as `control` says."""
    return {
        "engine": "epoll",
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session"}],
        "sessions": {"capacity": CAPACITY},
        "control": {"listen": f"unix:{directory}/control.sock"} | control,
    }


def token_file(directory: Path, text: str = TOKEN, mode: int = 0o600) -> str:
    """A file with a token."""
    path = directory / "token"
    path.write_text(text + "\n")
    path.chmod(mode)
    return str(path)


def certificate(directory: Path, name: str = "server") -> dict[str, str]:
    """A certificate for 127.0.0.1 that it signed itself, and its key: as control.tls."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pollgate test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = {"certificate": directory / f"{name}.pem", "key": directory / f"{name}.key"}
    files["certificate"].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files["key"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files["key"].chmod(0o600)
    return {what: str(path) for what, path in files.items()}


class Answer(NamedTuple):
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    body: Any  # decoded JSON; None when there is none

    @property
    def error(self) -> str:
        """The sentence of a refusal, which is all that it has."""
        assert self.status >= 400, self
        assert list(self.body) == ["error"]
        assert "Traceback" not in self.body["error"]
        assert "\n" not in self.body["error"]
        return str(self.body["error"])


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request; `body` is sent as JSON unless it is bytes."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    with contextlib.suppress(BrokenPipeError):  # refused for its length, and cut, before it has come
        connection.request(method, path, data, dict(headers or {}))
    answer = connection.getresponse()
    text = answer.read()
    return Answer(answer.status, dict(answer.headers.items()), json.loads(text) if text else None)


class Api:
    """The control API of a gateway at a unix socket: a connection for each request."""

    def __init__(self, gate: Gate) -> None:
        self.path = str(gate.directory / "control.sock")

    def connection(self) -> http.client.HTTPConnection:
        return UnixConnection(self.path)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = self.connection()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def issue(self, player_id: int, ttl: int = 100, **more: Any) -> dict[str, Any]:
        """A session that was issued."""
        answer = self("POST", "/v1/sessions", {"player_id": player_id, "ttl": ttl, **more})
        assert answer.status == 201, answer
        assert isinstance(answer.body, dict)
        return answer.body


def token_command(
    gate_or_path: Gate | Path, *args: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`pollgate token ARGS -c` its configuration."""
    path = gate_or_path.config_path if isinstance(gate_or_path, Gate) else gate_or_path
    command, *rest = args
    return subprocess.run(
        [sys.executable, "-P", "-m", "pyshim", "token", command, "-c", str(path), *rest],
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
