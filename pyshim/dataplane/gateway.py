# SPDX-License-Identifier: BSD-3-Clause
"""A running data plane, as a worker process has it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

from pyshim.confinement import Confinement
from pyshim.dataplane.library import (
    check,
    decode,
    encode,
    ffi,
    lib,
    milliseconds,
    new_error,
    operator_message_struct,
)
from pyshim.dataplane.page import StatsPage
from pyshim.dataplane.process import eal_init
from pyshim.errors import UnavailableError
from pyshim.operator_messages import OperatorMessage, SendOutcome, SendResult
from pyshim.plan import Plan, Policy
from pyshim.system.memory_file import SessionState

_NOBODY_ELSE = 0xFFFFFFFF  # for a user: stay who you are
_TEXT_BYTES = 300  # of a sentence
_DROPPED_BYTES = 1024  # for a few words on each section that there can be


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What a world shows."""

    parts: tuple[memoryview, ...]  # of each worker: struct pg_world_entity, one after the other
    tick: int
    entities: int
    found: bool  # the player
    seen: tuple[int, ...]  # numbers of whom the player sees


class Gateway:
    """A running data plane; a process opens one, once in its life."""

    def __init__(
        self, plan: Plan, page: StatsPage, state: SessionState, recording_fd: int | None = None
    ) -> None:
        """Initialise EAL if the plan has DPDK in it, devices or sockets, and tables.

        `page` and `state` must outlive the gateway. `recording_fd` is of the memory in which is written down
        what is done to the worlds, and stays the caller's.

        Raises:
            UnavailableError: a device, memory or permission is missing; nothing is left configured.
            InternalError: the plan does not suit this build, or a bug.
        """
        wanted = encode.plan_struct(plan)
        self._ring_bytes = plan.game.ring_bytes
        self._workers = len(plan.workers)
        error = new_error()
        # EAL keeps pointers into its arguments: they live as long as the gateway.
        self._arguments = () if plan.uses_sockets else eal_init(plan.eal_args)
        self._memory = state.map()
        self.state: Any = ffi.from_buffer(self._memory, require_writable=True)
        self._recording = _map_recording(recording_fd, plan.recording_bytes)
        recording = ffi.NULL if self._recording is None else ffi.from_buffer(self._recording)
        self._recorded: Any = recording
        self.native: Any = lib.pg_open_recorded(
            wanted,
            page.native,
            self.state,
            len(self._memory),
            recording,
            plan.recording_bytes,
            error,
        )
        if self.native == ffi.NULL:
            self._unmap()
            check(error.code or lib.PG_ERROR_INTERNAL, error)

    def close(self) -> None:
        """Close the ports and free everything.

        Only after `stop` has succeeded: a loop that still runs would use what is freed here. A process whose
        loops do not stop ends by os._exit instead.
        """
        lib.pg_close(self.native)
        self._unmap()

    def _unmap(self) -> None:
        ffi.release(self.state)
        self._memory.close()
        if self._recording is not None:
            ffi.release(self._recorded)
            self._recording.close()

    def confine(self, confinement: Confinement) -> None:
        """Give up what only opening devices took; before `start`, for the whole process and for good.

        Raises:
            UnavailableError: the kernel refuses it.
        """
        wanted: Any = ffi.new("struct pg_confinement *")
        wanted.capabilities = confinement.serving
        wanted.uid = _NOBODY_ELSE if confinement.uid is None else confinement.uid
        wanted.gid = _NOBODY_ELSE if confinement.gid is None else confinement.gid
        wanted.allow_bpf = confinement.allow_bpf
        error = new_error()
        check(lib.pg_confine(wanted, error), error)

    def dropped(self) -> str:
        """Sections of the session state that another version left and that are not kept; "": none."""
        text: Any = ffi.new("char[]", _DROPPED_BYTES)
        lib.pg_dropped(self.native, text, _DROPPED_BYTES)
        return decode.text(text)

    def start(self) -> None:
        """Launch the poll loops; returns when each has turned once.

        Raises:
            InternalError: a loop did not turn within 5 s.
        """
        error = new_error()
        check(lib.pg_start(self.native, error), error)

    def apply(self, policy: Policy, timeout_s: float) -> None:
        """Publish a new policy; returns when every worker uses it.

        Raises:
            InternalError: a worker did not take it within `timeout_s`.
        """
        error = new_error()
        check(lib.pg_apply(self.native, encode.policy_struct(policy), milliseconds(timeout_s), error), error)

    def send(self, operator_message: OperatorMessage) -> SendResult:
        """Give a player a message of the operator's; what becomes of it after that is counted."""
        native, _body = operator_message_struct(operator_message)
        error = new_error()
        code = lib.pg_send(self.native, native, error)
        outcome = {lib.PG_OK: SendOutcome.SENT, lib.PG_ERROR_TIMEOUT: SendOutcome.BUSY}.get(
            code, SendOutcome.REFUSED
        )
        return SendResult(outcome, decode.text(error.message))

    def look(self, world: int, player_id: int) -> LookedAt:
        """Who is where in a world; what it gives is good until the next look.

        Raises:
            UnavailableError: a worker had no time for it.
            InternalError: there is no such world.
        """
        found: Any = ffi.new("struct pg_world_look *")
        error = new_error()
        code = lib.pg_world_look(self.native, world, player_id, found, error)
        if code == lib.PG_ERROR_TIMEOUT:
            raise UnavailableError(decode.text(error.message))
        check(code, error)
        parts = [found.part[index] for index in range(found.parts)]
        size = ffi.sizeof("struct pg_world_entity")
        return LookedAt(
            tuple(
                memoryview(ffi.buffer(part.entity, part.entities * size)) for part in parts if part.entities
            ),
            max(part.tick for part in parts),
            sum(part.entities for part in parts),
            bool(found.found),
            tuple(found.number[index] for index in range(found.seen)) if found.found else (),
        )

    # ------------------------------------------------------------ game processes

    def game_attach(
        self, process: int, worker: int, rings: tuple[int, int, int, int], *, present: bool, wants_moves: bool
    ) -> None:
        """Map the rings of a worker and a game process: its file, the process's or -1, what wakes the worker.

        Without a file of the process nothing is read of one; how far one has read comes last.
        Descriptors stay the caller's.

        Raises:
            UnavailableError: they cannot be mapped, or say what cannot be.
        """
        native: Any = ffi.new("struct pg_game_rings *")
        native.process, native.worker, native.ring_bytes = process, worker, self._ring_bytes
        native.worker_fd, native.process_fd, native.bell_fd, native.read = rings
        native.present, native.wants_moves = present, wants_moves
        error = new_error()
        check(lib.pg_game_attach(self.native, native, error), error)

    def game_presence(self, process: int, *, present: bool, wants_moves: bool) -> None:
        """A game process is there from now on, or not any more.

        Raises:
            InternalError: it has no rings.
        """
        error = new_error()
        check(lib.pg_game_presence(self.native, process, present, wants_moves, error), error)

    def game_hear(self, process: int, worker: int, fd: int) -> None:
        """Have a worker read what a game process writes to this file, which is sealed.

        Raises:
            UnavailableError: it cannot be mapped.
            InternalError: it has no rings, or is heard already.
        """
        error = new_error()
        check(lib.pg_game_hear(self.native, process, worker, fd, error), error)

    def game_end(self, process: int, worker: int, fds: tuple[int, int]) -> None:
        """Have a worker read what a game process that is gone wrote to its end, and nothing after that.

        It writes to the first of these files from now on; the second one wakes it. They stay the caller's.

        Raises:
            UnavailableError: the file cannot be mapped.
            InternalError: it has no rings, or is ending already.
        """
        error = new_error()
        check(lib.pg_game_end(self.native, process, worker, *fds, error), error)

    def game_ended(self, process: int) -> tuple[int, ...] | None:
        """Up to where the process had read what each worker wrote; None until all have come to the end."""
        read: Any = ffi.new("uint64_t[]", self._workers)
        if not lib.pg_game_ended(self.native, process, read):
            return None
        return tuple(map(int, read))

    def game_detach(self, process: int) -> None:
        """Have all workers let go of a game process's rings, if they have any.

        Raises:
            InternalError: a worker did not.
        """
        error = new_error()
        check(lib.pg_game_detach(self.native, process, error), error)

    def game_broken(self) -> tuple[int, str] | None:
        """The next process that the workers gave up, and why; each is said once."""
        process: Any = ffi.new("uint32_t *")
        why: Any = ffi.new("char[]", _TEXT_BYTES)
        if not lib.pg_game_broken(self.native, process, why, _TEXT_BYTES):
            return None
        return int(process[0]), decode.text(why)

    def housekeep(self) -> None:
        """Refresh what devices and pools say of themselves in the statistics page."""
        lib.pg_housekeep(self.native)

    def dismiss(self, timeout_s: float) -> bool:
        """Tell every connected player that the gateway ends; their connections are over.

        Returns:
            Were all of them told within `timeout_s`?
        """
        return bool(lib.pg_dismiss(self.native, milliseconds(timeout_s)))

    def stop(self, timeout_s: float) -> None:
        """Let the loops finish the burst in hand and return.

        Raises:
            InternalError: a loop did not end within `timeout_s`.
        """
        error = new_error()
        check(lib.pg_stop(self.native, milliseconds(timeout_s), error), error)


def _map_recording(fd: int | None, size_bytes: int) -> mmap.mmap | None:
    """All of it at once: no poll loop takes a page that is not there.

    Raises:
        UnavailableError: there is not enough memory.
    """
    if fd is None or size_bytes == 0:
        return None
    try:
        return mmap.mmap(fd, size_bytes, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
    except OSError as problem:
        raise UnavailableError(
            f"record.memory_mib: {size_bytes >> 20} MiB for the recording cannot be mapped "
            f"({problem.strerror}); lower it, or give this host more memory"
        ) from problem
