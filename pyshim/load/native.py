# SPDX-License-Identifier: BSD-3-Clause
"""The generator in C as Python values: the page that it counts into, and its life."""

from __future__ import annotations

import mmap
import os
from array import array
from dataclasses import fields
from typing import Any, Self

from pyshim.dataplane import eal_init
from pyshim.errors import InternalError, PollgateError, UnavailableError
from pyshim.load.messages import Open
from pyshim.load.result import UNSENT, Counts
from pyshim.load.scenario import TYPES, Trial
from pyshim.load.world import WALKS, Impairment, World
from pyshim.load.world_result import WorldCounts
from pyshim.plan import Plan
from pyshim.system.memory_file import memory_file

from pyshim._native import decode, encode  # isort: skip
from pyshim._native._pollgate import ffi, lib  # isort: skip

_NANOSECOND = 1e-9
_NANOSECONDS = 1_000_000_000


class Page:
    """The memory file that a generator counts into, and by which it is stopped."""

    def __init__(self, fd: int) -> None:
        """Map the page behind `fd`, which becomes this object's to close."""
        self.fd = fd
        self._map = mmap.mmap(fd, lib.pg_load_page_size())
        self.native: Any = ffi.from_buffer("struct pg_load_page *", self._map, require_writable=True)

    @classmethod
    def create(cls) -> Self:
        """A new page, all zero.

        Raises:
            UnavailableError: no memory file can be made.
        """
        return cls(memory_file("pollgate-load", lib.pg_load_page_size()))

    def stop(self) -> None:
        """End the running trial, and every later one at once."""
        self.native.stop = 1

    @property
    def in_trial(self) -> bool:
        """Whether messages are being sent or awaited."""
        return bool(self.native.in_trial)

    @property
    def tsc_hz(self) -> int:
        """Rate of the cycle counters; 0 until a generator is open."""
        return int(self.native.tsc_hz)

    def counts(self) -> Counts:
        """What was counted so far in the current trial."""
        page = self.native.counts
        return Counts(
            offered=page.offered,
            sent=page.sent,
            not_sent=page.not_sent,
            acknowledged=page.acknowledged,
            lost=page.lost,
            duplicated=page.duplicated,
            reordered=page.reordered,
            invalid=page.invalid,
            stray=page.stray,
            host=page.host,
            late=page.late,
            worst_lag_s=page.worst_lag_ns * _NANOSECOND,
            sent_bytes=page.sent_bytes,
            elapsed_s=page.elapsed_ns * _NANOSECOND,
            busy_cycles=page.busy_cycles,
            total_cycles=page.total_cycles,
            latency_sum_s=page.latency_sum_ns * _NANOSECOND,
            latency_max_s=page.latency_max_ns * _NANOSECOND,
            connected=page.connected,
            connect_s=page.connect_ns * _NANOSECOND,
            handshakes=page.handshakes,
            closed=page.closed,
            heard=page.heard,
            replies=page.replies,
            reply_sum_s=page.reply_sum_ns * _NANOSECOND,
            reply_max_s=page.reply_max_ns * _NANOSECOND,
            unsent=dict(zip(UNSENT, page.unsent, strict=True)),
            refusals=page.refusals,
            refusal=page.refusal,
            sent_of_type=dict(zip(TYPES, page.sent_of_type, strict=True)),
            acknowledged_of_type=dict(zip(TYPES, page.acknowledged_of_type, strict=True)),
            world=_world_counts(page.world),
        )

    def recorded(self) -> list[tuple[int, int]]:
        """Round-trip times that occurred, in ns, and how often each did."""
        return _recorded(self.native.counts.latency)

    def recorded_replies(self) -> list[tuple[int, int]]:
        """Times until the game's replies that occurred, in ns, and how often each did."""
        return _recorded(self.native.counts.reply)

    def recorded_unseen(self) -> list[tuple[int, int]]:
        """Times for which those in range of a player went unseen, in ns, and how often each was found."""
        return _recorded(self.native.counts.unseen)

    def close(self) -> None:
        """Unmap and close; the memory lives on in whoever else has it."""
        ffi.release(self.native)
        self._map.close()
        os.close(self.fd)


def _recorded(counted: Any) -> list[tuple[int, int]]:
    buckets = array("Q", bytes(ffi.buffer(counted)))
    return [(lib.pg_load_latency_ns(at), times) for at, times in enumerate(buckets) if times]


def _world_counts(page: Any) -> WorldCounts:
    dropped, doubled, delayed = map(int, page.impaired)
    elsewhere = {"dropped", "doubled", "delayed"}
    same = {
        each.name: int(getattr(page, each.name)) for each in fields(WorldCounts) if each.name not in elsewhere
    }
    return WorldCounts(**same, dropped=dropped, doubled=doubled, delayed=delayed)


class Players:
    """An open generator; a process has one, once in its life."""

    def __init__(self, order: Open, plan: Plan | None, page: Page, tickets: bytes = b"") -> None:
        """Open the sockets, or with a `plan` initialise DPDK and the device. `page` must outlive this.

        Args:
            tickets: of players of profile session, as tickets.pack() gives them.

        Raises:
            UnavailableError: a socket, a device, memory or a permission is missing.
            InternalError: the order does not suit this build, or a bug.
        """
        error = ffi.new("struct pg_error *")
        if plan is not None:
            # DPDK keeps pointers into its arguments: they live as long as this.
            self._arguments = eal_init(plan.eal_args)
        native = _plan_struct(order, plan)
        if order.sessions:
            held = ffi.from_buffer("struct pg_load_ticket[]", tickets)  # until it is open
            native.profile, native.tickets = lib.PG_PROFILE_SESSION, held
        self._handle = lib.pg_load_open(native, page.native, error)
        if self._handle == ffi.NULL:
            raise _failure(error)

    def play(self, trial: Trial) -> None:
        """Play one trial to its end, or until the page says stop; releases the interpreter lock.

        Raises:
            UnavailableError: the target refuses, or was not found.
        """
        native: Any = ffi.new("struct pg_load_trial *")
        native.players = trial.players
        native.window = trial.window
        native.start_pps = trial.rate_pps
        native.end_pps = trial.last_rate_pps
        native.duration_ns = round(trial.seconds * _NANOSECONDS)
        native.drain_ns = round(trial.drain_s * _NANOSECONDS)
        native.storm = trial.storm
        error = ffi.new("struct pg_error *")
        if lib.pg_load_run(self._handle, native, error) != lib.PG_OK:
            raise _failure(error)

    def close(self) -> None:
        """Close sockets or device."""
        lib.pg_load_close(self._handle)


def _plan_struct(order: Open, plan: Plan | None) -> Any:
    out: Any = ffi.new("struct pg_load_plan *")
    out.abi_version = lib.PG_ABI_VERSION
    out.players = order.players
    out.first_player_id = order.first_player_id
    out.transport = lib.PG_LOAD_SOCKETS if plan is None else lib.PG_LOAD_DPDK
    out.motion = order.motion
    out.weight = order.weights
    out.chat_bytes = order.chat_bytes
    out.game_type = order.game_type
    out.game_bytes = order.game_bytes
    out.arena_m = order.arena_m
    out.seed = order.seed
    encode.fill_address(out.target, order.target)
    out.target_port = order.target_port
    out.address_count = len(order.addresses)
    for index, address in enumerate(order.addresses):
        encode.fill_address(out.address[index], address)
    out.first_port = order.first_port
    out.ports_per_address = min(order.ports_per_address, 65_535)
    if order.target_mac is not None:
        out.has_target_mac = True
        ffi.memmove(out.target_mac, bytes.fromhex(order.target_mac.replace(":", "")), 6)
    if order.world is not None:
        _fill_world(out.world, order.world)
    if order.impairment is not None:
        _fill_impairment(out.impairment, order.impairment)
    if plan is not None:
        encode.fill_port(out.port, plan.ports[0])
        encode.fill_pool(out.pool, plan.pools[0])
    return out


def _fill_world(out: Any, world: World) -> None:
    out.walk = lib.PG_LOAD_SPREAD + WALKS.index(world.walk)
    out.middle_m = world.middle_m
    for name in (
        "ground_m",
        "radius_m",
        "leave_radius_m",
        "speed_mps",
        "standing",
        "hysteresis",
        "hearers",
        "extrapolate_ms",
        "glimpses",
        "budget_kbps",
    ):
        setattr(out, name, getattr(world, name))


def _fill_impairment(out: Any, impairment: Impairment) -> None:
    for name in ("loss", "duplicate", "reorder", "reorder_ms", "move_ms"):
        setattr(out, name, getattr(impairment, name))


def _failure(error: Any) -> PollgateError:
    unavailable = (lib.PG_ERROR_DEVICE, lib.PG_ERROR_MEMORY, lib.PG_ERROR_SYSTEM, lib.PG_ERROR_TIMEOUT)
    kind: type[PollgateError] = UnavailableError if error.code in unavailable else InternalError
    return kind(decode.text(error.message) or f"the generator failed with code {error.code} and said nothing")
