# SPDX-License-Identifier: BSD-3-Clause
"""What supervisor and worker process say to each other: one JSON message per packet of a local socket.

The supervisor sends Start, Reload, Deliver, LookAt, Stop, and GameRings, GameHear, GamePresence, GameEnd
and GameDetach; the worker process answers Started, Applied or Refused, Delivered, LookedAt, GameMapped,
GameEnded, and Stopped, or Failed and ends; it says GameBroken unasked. The end of the stream means that the
other side is gone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from pyshim.errors import ExitCode, InternalError
from pyshim.operator_messages import OperatorMessage, SendOutcome, SendResult
from pyshim.plan import Plan, Policy, plan_from_json, plan_to_json, rebuild
from pyshim.system.packet_socket import PacketSocket

VERSION = 6
_DESCRIPTORS_MAX = 3 * 32  # of the most workers that there can be


@dataclass(frozen=True, slots=True)
class Start:
    """Open devices and poll, as the plan says."""

    plan: Plan
    game_rings: int = 0  # so many GameRings follow, to be mapped first


@dataclass(frozen=True, slots=True)
class Reload:
    """Use this policy from now on."""

    generation: int
    policy: Policy
    debug: bool  # whether the data plane writes its debug lines


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give a player a message of the operator's; answered before the next one is sent."""

    number: int
    operator_message: OperatorMessage


@dataclass(frozen=True, slots=True)
class LookAt:
    """Write who is where in a world into a file; answered before the next one is sent."""

    number: int
    world: int  # index
    player_id: int
    fds: tuple[int, ...]  # the file, the receiver's to close


@dataclass(frozen=True, slots=True)
class LookedAt:
    """It is written, unless there is a problem."""

    number: int
    problem: str = ""
    tick: int = 0
    entities: int = 0  # `pyshim.looks.ENTITY`, one after the other
    found: bool = False  # the player
    seen: tuple[int, ...] = ()  # numbers of whom that one sees


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the bursts in hand and end."""

    drain_s: float
    dismiss: bool = True  # tell the players that the gateway ends; else the next process goes on with them


@dataclass(frozen=True, slots=True)
class GameRings:
    """Map the rings of a game process; the workers' files, then what wakes each, then the process's."""

    process: int  # its index
    name: str
    files: int  # number of the files, which comes back
    wants_moves: bool
    present: bool  # whether such a process is there
    heard: bool  # whether what a process wrote is to be read; else there is no file of it
    read: tuple[int, ...]  # by worker: up to where a process has read, unless one is heard
    fds: tuple[int, ...]  # the receiver's to close

    @property
    def by_worker(self) -> Iterator[tuple[int, int, int, int]]:
        """Of each worker: its file, the process's or -1, what wakes it; up to where a process has read."""
        count = len(self.read)
        own = self.fds[2 * count :] if self.heard else (-1,) * count
        return zip(self.fds[:count], own, self.fds[count : 2 * count], self.read, strict=True)


@dataclass(frozen=True, slots=True)
class GamePresence:
    """A game process is there, or not any more."""

    process: int
    present: bool
    wants_moves: bool


@dataclass(frozen=True, slots=True)
class GameHear:
    """Read what a game process writes; of each worker in turn, the process's file."""

    process: int
    files: int
    fds: tuple[int, ...]  # the receiver's to close


@dataclass(frozen=True, slots=True)
class GameEnd:
    """Read what a game process wrote that is gone to its end, and nothing after that.

    Of each worker in turn, the file that it writes from now on; then what wakes each.
    """

    process: int
    files: int
    fds: tuple[int, ...]  # the receiver's to close

    @property
    def by_worker(self) -> Iterator[tuple[int, int]]:
        """Of each worker: its file, what wakes it."""
        count = len(self.fds) // 2
        return zip(self.fds[:count], self.fds[count:], strict=True)


@dataclass(frozen=True, slots=True)
class GameDetach:
    """Let go of a game process's rings."""

    process: int


@dataclass(frozen=True, slots=True)
class GameMapped:
    """The rings are mapped, unless there is a problem."""

    process: int
    files: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GameEnded:
    """It has been read to its end."""

    process: int
    files: int
    read: tuple[int, ...]  # by worker: up to where the process had read


@dataclass(frozen=True, slots=True)
class GameBroken:
    """A worker gave a game process up."""

    process: int
    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """Every poll loop has turned."""

    dropped: str = ""  # sections that a worker process of another version left in the session state


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
class Delivered:
    """What became of the message of this number."""

    number: int
    result: SendResult


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker process cannot go on and ends now."""

    exit_code: int
    message: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Every packet is out and the devices are closed; the process ends now."""


GameOrder = GameRings | GameHear | GamePresence | GameEnd | GameDetach
GameReport = GameMapped | GameEnded | GameBroken
Message = (
    Start
    | Reload
    | Deliver
    | LookAt
    | LookedAt
    | GameOrder
    | Stop
    | Started
    | Applied
    | Refused
    | Delivered
    | GameReport
    | Failed
    | Stopped
)

_WITH_FDS = (GameRings, GameHear, GameEnd, LookAt)

_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """One message as it travels."""
    match message:
        case Start(plan, game_rings):
            body: dict[str, Any] = {"plan": plan_to_json(plan), "game_rings": game_rings}
        case _:
            body = asdict(message)
    if isinstance(message, _WITH_FDS):
        del body["fds"]  # they travel beside it
    if isinstance(message, Deliver):
        body["operator_message"]["body"] = base64.b64encode(message.operator_message.body).decode()
    return json.dumps({"version": VERSION, "kind": type(message).__name__, **body}, allow_nan=False).encode()


def decode(data: bytes, fds: tuple[int, ...] = ()) -> Message:
    """The message in one packet, with the descriptors that came with it.

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
        if issubclass(kind, _WITH_FDS):
            body["fds"] = fds
        if "read" in body:
            body["read"] = tuple(body["read"])
        if body.keys() != {field.name for field in fields(kind)}:
            raise InternalError(f"a control message {name} with the fields {sorted(body)}")
        if kind is Start:
            return Start(plan_from_json(body["plan"]), body["game_rings"])
        if kind is Reload:
            body["policy"] = _policy(body["policy"])
        if kind is Deliver:
            body["operator_message"]["body"] = base64.b64decode(
                body["operator_message"]["body"], validate=True
            )
            body["operator_message"] = OperatorMessage(**body["operator_message"])
        if kind is Delivered:
            body["result"] = SendResult(SendOutcome(body["result"]["outcome"]), body["result"]["text"])
        return kind(**body)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InternalError(f"a control message that nobody can read: {problem!r}") from problem


class Channel(PacketSocket):
    """One end of the conversation; never blocks."""

    def send(self, message: Message) -> bool:
        """Send one message; False when the other side is gone.

        Raises:
            InternalError: it is too long, or the other side has not read for so long that the socket is full.
        """
        fds = message.fds if isinstance(message, _WITH_FDS) else ()
        return self.send_packet(encode(message), wait=False, fds=fds)

    def receive(self) -> Message | None:
        """The next message, None when the other side is gone. Call when readable.

        Raises:
            BlockingIOError: there is none yet.
            InternalError: what came is not a message.
        """
        received = self.receive_with_descriptors(wait=False, most=_DESCRIPTORS_MAX)
        return None if received is None else decode(*received)


def failure(problem: Exception) -> Failed:
    """What a worker process says before it ends because of `problem`."""
    code = getattr(problem, "exit_code", ExitCode.INTERNAL)
    return Failed(int(code), str(problem) or type(problem).__name__)


def _policy(body: object) -> Policy:
    policy = rebuild(Policy, body, "policy")
    assert isinstance(policy, Policy)
    return policy
