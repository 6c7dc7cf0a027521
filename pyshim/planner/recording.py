# SPDX-License-Identifier: BSD-3-Clause
"""The memory of the recording: whether it is there, and how long what it holds is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem

if TYPE_CHECKING:
    from pyshim.config.models import Config
    from pyshim.host import HostFacts

_MIB = 1 << 20
_MOVEMENT_BYTES = 32  # struct journal_move of the data plane; all else is little beside movements


def recording_bytes(config: Config) -> int:
    """Of all workers together; 0: nothing is recorded."""
    return 0 if config.record.path is None else config.record.memory_mib * _MIB


def check_recording(config: Config, host: HostFacts, problems: list[Problem]) -> None:
    """Check the memory of the recording; errors are appended to `problems`."""
    needed, available = recording_bytes(config), host.memory.available_bytes
    if needed > available:
        text = (
            f"the recording takes {config.record.memory_mib} MiB, {available // _MIB} MiB available; lower "
            "it, or free memory"
        )
        problems.append(Problem("record.memory_mib", text, ExitCode.UNAVAILABLE))


def recording_notes(config: Config) -> Iterator[str]:
    """How long the recording is when all sessions that there can be move at each tick."""
    if config.record.path is None or not config.worlds:
        return
    hz = max(world.tick_hz for world in config.worlds)
    held_s = recording_bytes(config) / (_MOVEMENT_BYTES * hz * config.sessions.capacity)
    yield (
        f"the last {config.record.seconds:g} s of all worlds are written to {config.record.path}, if they "
        f"fit {config.record.memory_mib} MiB of memory: {held_s:.3g} s of {config.sessions.capacity} players "
        f"who move {hz} times a second do"
    )
