# SPDX-License-Identifier: BSD-3-Clause
"""Issued keys are in no core dump: neither where they are kept, nor in what is left on a stack."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyshim.protocol.client import Client, Connected, Ticket
from tests.gate import Gate
from tests.issuing.gateway import Api

STATE = "/memfd:pollgate-sessions (deleted)"

_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)")


@dataclass
class Mapping:
    """A part of a process's memory."""

    start: int
    end: int
    readable: bool
    name: str
    flags: frozenset[str] = frozenset()

    @property
    def is_dumped(self) -> bool:
        return "dd" not in self.flags

    def content(self, pid: int) -> bytes:
        try:
            with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                memory.seek(self.start)
                return memory.read(self.end - self.start)
        except (OSError, OverflowError, ValueError):  # [vvar] and its like
            return b""


def mappings(pid: int) -> list[Mapping]:
    found: list[Mapping] = []
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if head := _HEAD.fullmatch(line):
            start, end, rights, name = head.groups()
            found.append(Mapping(int(start, 16), int(end, 16), rights.startswith("r"), name))
        elif line.startswith("VmFlags:"):
            found[-1].flags = frozenset(line.split()[1:])
    return found


def holding(pid: int, secret: bytes) -> Iterator[Mapping]:
    return (one for one in mappings(pid) if one.readable and secret in one.content(pid))


def test_the_state_is_left_out_of_the_core_dumps_of_both_processes(gate: Gate) -> None:
    for pid in (gate.process.pid, *gate.worker_pids()):
        of_state = [mapping for mapping in mappings(pid) if mapping.name == STATE]
        assert of_state
        assert not any(mapping.is_dumped for mapping in of_state)


def test_a_worker_has_a_players_key_only_in_what_is_not_dumped(gate: Gate, api: Api) -> None:
    issued = api.issue(4711)
    key = base64.urlsafe_b64decode(issued["key"] + "=")

    async def life() -> None:
        async with Client(Ticket.from_json(json.dumps(issued))) as game:
            assert isinstance(await asyncio.wait_for(anext(game.events()), 10), Connected)

    asyncio.run(life())
    (worker,) = gate.worker_pids()
    found = list(holding(worker, key))
    assert [mapping.name for mapping in found] == [STATE]
    assert not found[0].is_dumped
