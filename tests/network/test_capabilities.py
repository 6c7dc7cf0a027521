# SPDX-License-Identifier: BSD-3-Clause
"""The capabilities and locked memory that `check` asks for are what each device takes, no less, no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.appliance.refusals import UNAVAILABLE
from tests.network.namespace import GATE_INTERFACE, Wire
from tests.network.players import Crowd, NetworkGate, all_play, config, serving
from tests.nobody import nobody_with

AF_XDP = f"net_af_xdp0,iface={GATE_INTERFACE}"
AF_PACKET = f"net_af_packet0,iface={GATE_INTERFACE}"
NEEDS = {
    AF_PACKET: ("net_raw", "net_admin", "ipc_lock"),
    f"net_pcap0,iface={GATE_INTERFACE}": ("net_raw",),
    AF_XDP: ("net_raw", "net_admin", "sys_admin", "ipc_lock"),
}
SOME_KIB = 1024  # of locked memory: less than any pool
SHORT = {"rx_descriptors": 64, "tx_descriptors": 64}  # a pool below the 8 MiB that hosts have as a rule


def locking(kib: int) -> tuple[str, ...]:
    """A command's beginning: with this limit on locked memory."""
    return ("prlimit", f"--memlock={kib << 10}:{kib << 10}")


def refused(wire: Wire, device: str, directory: Path, prefix: Sequence[str]) -> str:
    settings = config(port={"device": device, **SHORT})
    with NetworkGate(wire.gate, settings, directory, prefix=prefix, wait_ready=False) as gate:
        assert gate.wait() == UNAVAILABLE, gate.stderr
        return gate.stderr


@pytest.mark.parametrize("promiscuous", [False, True], ids=["", "promiscuous"])
@pytest.mark.parametrize("device", NEEDS)
def test_who_has_just_what_is_needed_serves(
    wire: Wire, crowd: Crowd, open_directory: Path, device: str, promiscuous: bool
) -> None:
    settings = config(port={"device": device, "promiscuous": promiscuous})
    prefix = (*locking(SOME_KIB), *nobody_with(*NEEDS[device]))
    with serving(wire, settings, open_directory, prefix=prefix):
        all_play(crowd.players(4))


@pytest.mark.parametrize(
    ("device", "capability"),
    [(device, one) for device, needed in NEEDS.items() for one in needed if one != "ipc_lock"],
)
def test_who_lacks_one_of_them_is_told_which(
    wire: Wire, open_directory: Path, device: str, capability: str
) -> None:
    others = [one for one in NEEDS[device] if one != capability]
    said = refused(wire, device, open_directory, nobody_with(*others))
    assert f"needs the capability CAP_{capability.upper()}; run as root, or grant it" in said


@pytest.mark.parametrize("device", [AF_PACKET, AF_XDP])
def test_what_is_locked_is_as_much_as_is_said(
    wire: Wire, crowd: Crowd, open_directory: Path, device: str
) -> None:
    who = nobody_with(*(one for one in NEEDS[device] if one != "ipc_lock"))
    said = refused(wire, device, open_directory, (*locking(SOME_KIB), *who))
    assert f"this process may lock {SOME_KIB};" in said
    named = re.search(r"set ulimit -l (\d+) ", said)
    assert named is not None, said
    enough = (*locking(int(named[1])), *who)
    with serving(wire, config(port={"device": device, **SHORT}), open_directory, prefix=enough):
        all_play(crowd.players(4))
