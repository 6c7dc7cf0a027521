# SPDX-License-Identifier: BSD-3-Clause
"""What a session's number has room for: the configuration, the plan and the data plane say the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from pyshim.config import Config, load_config
from pyshim.config.profiles import ISSUED_MAX
from pyshim.dataplane import new_state, tsc
from pyshim.dataplane.library import ffi, lib, new_error
from pyshim.dataplane.state import state_bytes
from pyshim.errors import ConfigError, PollgateError
from pyshim.protocol.session_wire import pack_hello
from pyshim.system.memory_file import SessionState
from tests.native.core import Core, Datagram
from tests.session.core_gateway import plan

CAPACITIES = (1, 2, 3, 64, 4096, 65_535, 65_536, 65_537, ISSUED_MAX - 1, ISSUED_MAX)
BITS = range(18)


@contextlib.contextmanager
def initialised(capacity: int) -> Iterator[tuple[SessionState, Any]]:
    """A state as `pg_state_init_for` leaves it, of which nobody said which gateway's it is."""
    shape = (capacity, 1, capacity)
    with (
        SessionState.create(state_bytes(*shape), huge_pages=False) as state,
        state.map() as memory,
        ffi.from_buffer(memory, require_writable=True) as native,
    ):
        assert (
            lib.pg_state_init_for(
                native, len(memory), ffi.new("struct pg_state_plan *", [*shape, 0]), new_error()
            )
            == lib.PG_OK
        )
        yield state, native


def written(directory: Path, sessions: str) -> Config:
    file = directory / "gate.yaml"
    file.write_text(
        "engine: epoll\nports: [{name: lo, address: [127.0.0.1/8]}]\n"
        f"listen: [{{port: 8080, profile: session}}]\nsessions: {sessions}\n"
    )
    return load_config(file)


def of_others(state: SessionState) -> list[int]:
    """The bits of a number by which it is another gateway's, as a core with this state sees them."""
    core = Core(plan(), state)
    source = IPv4Address("203.0.113.1")
    hellos = [Datagram(source, 20_000, 0, pack_hello(1 << bit, bytes(16))) for bit in range(32)]
    answers = core.datagrams(hellos, tsc())
    return [bit for bit, answer in enumerate(answers) if answer.drop == "session_foreign"]


def test_which_bits_are_a_gateways_is_the_same_whoever_left_them_out(tmp_path: Path) -> None:
    gateway = written(tmp_path, "{capacity: 64}").sessions.gateway
    with initialised(64) as (state, _):
        of_data_plane = of_others(state)
    with new_state(replace(plan(), gateway_bits=gateway.bits, gateway_id=gateway.id)) as state:
        of_configuration = of_others(state)
    with new_state(plan()) as state:  # that does not say it
        of_plan = of_others(state)
    assert of_data_plane == of_configuration == of_plan == list(range(24, 32))


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_state_whose_sessions_cannot_be_numbered_is_not_kept_open() -> None:
    impossible = replace(plan(), issued_capacity=ISSUED_MAX, gateway_bits=16)
    before = _descriptors()
    with pytest.raises(PollgateError, match="of a session's number"):
        new_state(impossible)
    assert _descriptors() == before


@pytest.mark.parametrize("capacity", CAPACITIES)
def test_what_the_configuration_takes_of_a_gateway_is_what_the_data_plane_takes(
    tmp_path: Path, capacity: int
) -> None:
    def takes(bits: int, number: int) -> bool:
        with contextlib.suppress(ConfigError):
            written(tmp_path, f"{{capacity: {capacity}, gateway: {{bits: {bits}, id: {number}}}}}")
            return True
        return False

    with initialised(capacity) as (_, native):
        for bits in BITS:
            for number in (0, (1 << bits) - 1, 1 << bits):
                done = lib.pg_state_gateway(native, bits, number, new_error()) == lib.PG_OK
                assert takes(bits, number) == done, (bits, number)


def test_the_configuration_issues_as_many_sessions_as_the_data_plane(tmp_path: Path) -> None:
    written(tmp_path, f"{{capacity: {ISSUED_MAX}}}")
    with pytest.raises(ConfigError):
        written(tmp_path, f"{{capacity: {ISSUED_MAX + 1}}}")
    shape = (1, 1, ISSUED_MAX + 1)
    size = state_bytes(*shape)
    with (
        SessionState.create(size, huge_pages=False) as state,
        state.map() as memory,
        ffi.from_buffer(memory, require_writable=True) as native,
    ):
        assert (
            lib.pg_state_init_for(native, size, ffi.new("struct pg_state_plan *", [*shape, 0]), new_error())
            == lib.PG_ERROR_USAGE
        )
