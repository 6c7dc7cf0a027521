# SPDX-License-Identifier: BSD-3-Clause
"""What supervisor and worker process say to each other: one JSON message per packet of a local socket.

The supervisor sends Start, Reload and Stop; the worker process answers Started, Applied or Refused, and
Stopped, or Failed and ends. The end of the stream means that the other side is gone.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, fields
from typing import Any

from pyshim.errors import ExitCode, InternalError
from pyshim.plan import ListenerPolicy, Plan, Policy, plan_from_json, plan_to_json

VERSION = 1
MESSAGE_BYTES_MAX = 128 * 1024  # below the send buffer that Linux gives a local socket


@dataclass(frozen=True, slots=True)
class Start:
    """Open devices and poll, as the plan says."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Reload:
    """Use this policy from now on."""

    generation: int
    policy: Policy
    debug: bool  # whether the data plane writes its debug lines


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the bursts in hand and end."""

    drain_s: float


@dataclass(frozen=True, slots=True)
class Started:
    """Every poll loop has turned."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Every worker uses the policy of this generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The policy of this generation is not in use; the previous one still is."""

    generation: int
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker process cannot go on and ends now."""

    exit_code: int
    message: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Every packet is out and the devices are closed; the process ends now."""


Message = Start | Reload | Stop | Started | Applied | Refused | Failed | Stopped

_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Start, Reload, Stop, Started, Applied, Refused, Failed, Stopped)
}


def encode(message: Message) -> bytes:
    """One message as it travels.

    Raises:
        InternalError: it is longer than MESSAGE_BYTES_MAX.
    """
    match message:
        case Start(plan):
            body: dict[str, Any] = {"plan": plan_to_json(plan)}
        case _:
            body = asdict(message)
    data = json.dumps({"version": VERSION, "kind": type(message).__name__, **body}, allow_nan=False).encode()
    if len(data) > MESSAGE_BYTES_MAX:
        raise InternalError(f"a control message of {len(data)} bytes; the limit is {MESSAGE_BYTES_MAX}")
    return data


def decode(data: bytes) -> Message:
    """The message in one packet.

    Raises:
        InternalError: it is not a message of this version.
    """
    try:
        body = json.loads(data)
        version, name = body.pop("version"), body.pop("kind")
        if version != VERSION:
            raise InternalError(
                f"a control message of version {version}, not {VERSION}; pollgate was replaced?"
            )
        kind = _KINDS[name]
        if body.keys() != {field.name for field in fields(kind)}:
            raise InternalError(f"a control message {name} with the fields {sorted(body)}")
        if kind is Start:
            return Start(plan_from_json(body["plan"]))
        if kind is Reload:
            body["policy"] = _policy(body["policy"])
        return kind(**body)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InternalError(f"a control message that nobody can read: {problem!r}") from problem


class Channel:
    """One end of the conversation. Never blocks when made non-blocking by the caller of `pair`."""

    def __init__(self, end: socket.socket) -> None:
        """Take over one end of a SOCK_SEQPACKET pair."""
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Two connected ends."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    @classmethod
    def of_fd(cls, fd: int) -> Channel:
        """The end behind an inherited descriptor."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """For select and for passing on."""
        return self._socket.fileno()

    def send(self, message: Message) -> bool:
        """Send one message; False when the other side is gone.

        Raises:
            InternalError: the other side has not read for so long that the socket is full.
        """
        data = encode(message)
        try:
            self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError as problem:
            raise InternalError("the control socket is full: the other side does not read it") from problem
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def receive(self) -> Message | None:
        """The next message, None when the other side is gone. Call when readable.

        Raises:
            BlockingIOError: there is none yet.
            InternalError: what came is not a message.
        """
        try:
            data, _, flags, _ = self._socket.recvmsg(MESSAGE_BYTES_MAX, 0, socket.MSG_DONTWAIT)
        except ConnectionResetError:
            return None
        if flags & socket.MSG_TRUNC:
            raise InternalError(f"a control message of more than {MESSAGE_BYTES_MAX} bytes")
        return decode(data) if data else None

    def close(self) -> None:
        """Close this end; the other side reads the end of the stream."""
        self._socket.close()


def failure(problem: Exception) -> Failed:
    """What a worker process says before it ends because of `problem`."""
    code = getattr(problem, "exit_code", ExitCode.INTERNAL)
    return Failed(int(code), str(problem) or type(problem).__name__)


def _policy(body: dict[str, Any]) -> Policy:
    listeners = tuple(ListenerPolicy(**listener) for listener in body.pop("listeners"))
    return Policy(listeners=listeners, **body)
