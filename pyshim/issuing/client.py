# SPDX-License-Identifier: BSD-3-Clause
"""Asks the control API of a running gateway, found by the configuration that it runs with."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from ipaddress import ip_address
from typing import Any, Self

from pyshim.config import Config
from pyshim.config.values import Endpoint, UnixSocket
from pyshim.errors import InternalError, PollgateError, UnavailableError, UsageError
from pyshim.issuing.access import client_tls, control_address, read_token

_LIMIT_S = 10.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """One connection to a gateway's control API; a context manager that closes it."""

    def __init__(self, config: Config) -> None:
        """Read what the configuration names. Nothing is sent yet.

        Raises:
            PlanError: the token or certificate cannot be read.
            UsageError: no session is issued by this configuration, or its address is not known beforehand.
        """
        if not config.lets_in:
            raise UsageError("listen: no entry has profile: session, so this gateway issues nothing")
        self._address = control_address(config)
        token = read_token(config)
        self._headers = {"content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = token.header()
        self._connection = self._make(config)

    def _make(self, config: Config) -> http.client.HTTPConnection:
        if isinstance(self._address, UnixSocket):
            return _UnixConnection(self._address.path)
        if self._address.port == 0:
            raise UsageError("control.listen: port 0 is known to nobody beforehand; give it a number")
        host, port = _reachable(self._address)
        tls = client_tls(config)
        if tls is None:
            return http.client.HTTPConnection(host, port, timeout=_LIMIT_S)
        return http.client.HTTPSConnection(host, port, timeout=_LIMIT_S, context=tls)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; returns the answer's JSON, None when it has none.

        Raises:
            UsageError: the gateway cannot do this; its sentence.
            UnavailableError: no gateway answers, or it says to try again.
        """
        data = None if body is None else json.dumps(body).encode()
        try:
            # A request that is refused for its length is answered, and cut, before it has come.
            with contextlib.suppress(BrokenPipeError):
                self._connection.request(method, path, data, self._headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            raise UnavailableError(self._silence(problem)) from problem
        if answer.status >= 400:
            raise _refusal(answer.status, _sentence(text))
        return json.loads(text) if text else None

    def _silence(self, problem: Exception) -> str:
        match problem:
            case FileNotFoundError() | ConnectionRefusedError():
                return (
                    f"no gateway with this configuration runs here: nobody listens at {self._address}; "
                    "start it with `pollgate run`"
                )
            case PermissionError():
                return f"{self._address} belongs to another user; run this as the user that the gateway has"
        why = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        return f"the gateway at {self._address} did not answer: {why}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Nothing more to do: it connects with the first request."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _reachable(address: Endpoint) -> Endpoint:
    """Where a gateway that listens on every address is reached from its own host."""
    try:
        listened = ip_address(address.host)
    except ValueError:
        return address
    if not listened.is_unspecified:
        return address
    return Endpoint("::1" if listened.version == 6 else "127.0.0.1", address.port)


def _sentence(text: bytes) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return "an answer that is not the control API's"


def _refusal(status: int, sentence: str) -> PollgateError:
    if status in (401, 403, 429, 503):
        return UnavailableError(sentence)
    return InternalError(sentence) if status >= 500 else UsageError(sentence)
