# SPDX-License-Identifier: BSD-3-Clause
"""A worker process finds the session state of another version: what it knows is kept, the rest is told."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import pytest

from tests.gate import Gate
from tests.supervisor.conftest import PLAYERS

# dpdk_app/session/sections.h: name, version, parts, slots, keeper, untold, unused, offset, size; the first
# behind magic, size, count.
SECTION = struct.Struct("<16sIIIIIIQQ")
FIRST_SECTION = 24
OTHER_VERSION = 77


def rewrite_version(gate: Gate, section: str) -> None:
    """Have the session state say that a section of it is of another version, as a newer worker leaves it."""
    fds = Path(f"/proc/{gate.process.pid}/fd")
    path = next(fd for fd in fds.iterdir() if "pollgate-sessions" in str(fd.readlink()))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        (count,) = struct.unpack_from("<I", memory, 16)
        for index in range(count):
            at = FIRST_SECTION + index * SECTION.size
            name, _version, *rest = SECTION.unpack_from(memory, at)
            if name.rstrip(b"\0").decode() == section:
                SECTION.pack_into(memory, at, name, OTHER_VERSION, *rest)
                return
    pytest.fail(f"the session state has no section {section}")


def test_a_worker_of_another_version_drops_what_it_does_not_know_and_says_so(gate: Gate) -> None:
    rewrite_version(gate, "plain")
    gate.kill_worker()
    gate.wait_for_line(r"could not be kept: plain \(version 77, this build has version \d+\)")
    after = gate.wait_metric("pollgate_sessions", PLAYERS, state="active")  # admitted again
    assert after.value("pollgate_sessions_recovered_total") == 0
    gate.kill_worker()  # the next one knows all of it, and that was told
    gate.wait_metric("pollgate_sessions_recovered_total", PLAYERS)
    assert gate.stderr.count("could not be kept") == 1


def test_a_worker_of_the_same_version_keeps_everything_and_says_nothing(gate: Gate) -> None:
    gate.kill_worker()
    after = gate.wait_metric("pollgate_sessions_recovered_total", PLAYERS)
    assert after.value("pollgate_sessions_recovered_total") == PLAYERS
    assert "could not be kept" not in gate.stderr


def test_what_the_supervisor_keeps_in_another_version_is_refused_in_a_sentence(gate: Gate) -> None:
    rewrite_version(gate, "issuing")
    gate.kill_worker()
    gate.wait_for_line(r"section issuing of the session state is of version 77.*restart pollgate")
