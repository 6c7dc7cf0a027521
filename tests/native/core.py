# SPDX-License-Identifier: BSD-3-Clause
"""One worker's core without devices: frames or datagrams in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Self

from pyshim.dataplane.library import check, decode, encode, new_error, operator_message_struct
from pyshim.errors import UnavailableError, UsageError
from pyshim.operator_messages import OperatorMessage
from pyshim.plan import Plan
from pyshim.stats import WorkerSnapshot
from pyshim.system.memory_file import SessionState
from tests.native import ffi, lib

CORE_BURST_MAX = 64
_FRAME_ROOM = 2048  # any answer fits
_PAYLOAD_ROOM = lib.PG_DATAGRAM_MAX + 1  # one more shows that a datagram is too long


@dataclass(frozen=True, slots=True)
class Answer:
    """What the core did with one frame or datagram."""

    reply: bytes | None
    drop: str | None  # reason, when it was dropped


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram as a socket gives it."""

    source: IPv4Address | IPv6Address
    source_port: int
    listener: int  # index into Plan.listeners
    payload: bytes


@dataclass(frozen=True, slots=True)
class OwnDatagram:
    """A datagram that the core sends on its own, of the session profile."""

    to: IPv4Address | IPv6Address
    to_port: int
    listener: int
    payload: bytes


class Core:
    """The data plane without devices: frames or datagrams in, answers out."""

    def __init__(self, plan: Plan, state: SessionState | None = None) -> None:
        """A core that answers for the first port of `plan`; no EAL is needed.

        `state` is the plan's, and stays the caller's; without one, the core has its own.

        Raises:
            UnavailableError: no memory for its tables.
        """
        self._plan = encode.plan_struct(plan)
        self._memory = state.map() if state else None
        self._state: Any = ffi.from_buffer(self._memory, require_writable=True) if self._memory else ffi.NULL
        self._handle = lib.pg_core_open(self._plan, self._state)
        if self._handle == ffi.NULL:
            raise UnavailableError(
                f"no memory for a table of {plan.session_capacity} sessions; lower sessions.capacity"
            )
        self._labels = decode.labels()

    def burst(self, frames: Sequence[bytes], now_tsc: int) -> list[Answer]:
        """Run at most CORE_BURST_MAX frames through as one burst at the time `now_tsc`."""
        _check_burst(len(frames), "frames")
        buffers = [ffi.new("uint8_t[]", frame.ljust(_FRAME_ROOM)) for frame in frames]
        pointers: Any = ffi.new("uint8_t *[]", buffers)
        lengths: Any = ffi.new("uint16_t[]", [len(frame) for frame in frames])
        drops: Any = ffi.new("uint8_t[]", len(frames))
        lib.pg_core_burst(self._handle, now_tsc, pointers, lengths, drops, len(frames))
        return [
            Answer(bytes(ffi.buffer(buffer, length)) if length else None, decode.drop_reason(drop))
            for buffer, length, drop in zip(buffers, lengths, drops, strict=True)
        ]

    def datagrams(self, datagrams: Sequence[Datagram], now_tsc: int) -> list[Answer]:
        """Run at most CORE_BURST_MAX datagrams through as one burst, as the socket engines do.

        Raises:
            UsageError: more than a burst holds, or for a listener that the plan has not.
        """
        _check_burst(len(datagrams), "datagrams")
        # Room for an answer, which may be longer than a datagram of a player whose address is proved.
        buffers = [ffi.new("uint8_t[]", datagram.payload.ljust(_PAYLOAD_ROOM)) for datagram in datagrams]
        burst: Any = ffi.new("struct pg_datagram[]", len(datagrams))
        for to, datagram, buffer in zip(burst, datagrams, buffers, strict=True):
            if not 0 <= datagram.listener < self._plan.listener_count:
                raise UsageError(
                    f"a datagram for listener {datagram.listener}; the plan has {self._plan.listener_count}, "
                    "counted from 0"
                )
            to.source.family = datagram.source.version
            ffi.memmove(to.source.bytes, datagram.source.packed, len(datagram.source.packed))
            to.source_port = datagram.source_port
            to.listener = datagram.listener
            to.length = min(len(datagram.payload), lib.PG_DATAGRAM_MAX + 1)
            to.payload = buffer
        lib.pg_core_datagrams(self._handle, now_tsc, burst, len(datagrams))
        return [
            Answer(
                None if to.drop or not to.length else bytes(ffi.buffer(buffer, to.length)),
                decode.drop_reason(to.drop),
            )
            for to, buffer in zip(burst, buffers, strict=True)
        ]

    def expire(self, now_tsc: int) -> int:
        """Free the sessions that were silent for the policy's idle time; returns how many."""
        return lib.pg_core_expire(self._handle, now_tsc)

    def due(self, now_tsc: int) -> list[OwnDatagram]:
        """All packets of the session profile that are due at `now_tsc`."""
        buffers = ffi.new("uint8_t[]", _PAYLOAD_ROOM * CORE_BURST_MAX)
        burst: Any = ffi.new("struct pg_datagram[]", CORE_BURST_MAX)
        egress = []
        count = CORE_BURST_MAX
        while count == CORE_BURST_MAX:
            for index in range(CORE_BURST_MAX):
                burst[index].payload = buffers + index * _PAYLOAD_ROOM
            count = lib.pg_core_due(self._handle, now_tsc, burst, CORE_BURST_MAX)
            egress += [_own_datagram(burst[index]) for index in range(count)]
        return egress

    def send(self, operator_message: OperatorMessage, now_tsc: int) -> None:
        """Give a player a message; it leaves with what is due.

        Raises:
            InternalError: the player is not connected, or there is no such message.
        """
        native, _body = operator_message_struct(operator_message)
        error = new_error()
        check(lib.pg_core_send(self._handle, now_tsc, native, error), error)

    def stats(self) -> WorkerSnapshot:
        """What the core counted so far."""
        clock = decode.Clock(lib.pg_tsc(), lib.pg_tsc_hz())
        return decode.worker(lib.pg_core_stats(self._handle), 0, self._labels, 1, clock)

    def close(self) -> None:
        """Free it; no call may follow."""
        lib.pg_core_close(self._handle)
        if self._memory:
            ffi.release(self._state)
            self._memory.close()

    def __enter__(self) -> Self:
        """Nothing more to do: it is open from its making."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _own_datagram(datagram: Any) -> OwnDatagram:
    size = 4 if datagram.source.family == 4 else 16
    return OwnDatagram(
        ip_address(bytes(ffi.buffer(datagram.source.bytes, size))),
        datagram.source_port,
        datagram.listener,
        bytes(ffi.buffer(datagram.payload, datagram.length)),
    )


def _check_burst(count: int, what: str) -> None:
    if count > CORE_BURST_MAX:
        raise UsageError(f"{count} {what} in one burst; a burst holds {CORE_BURST_MAX}")
