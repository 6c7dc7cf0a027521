# SPDX-License-Identifier: BSD-3-Clause
"""What the kernel does with an interface or an address that a port uses is said before anybody wonders."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyshim.host import Interface
from pyshim.planner import plan
from tests.network.namespace import Namespace, why_not
from tests.network.players import NetworkGate
from tests.plan.builders import make_config, make_host, make_socket_config

ETH0 = Interface("eth0", 1500, ("192.0.2.5", "fe80::1"))


def warnings(device: str, *interfaces: Interface, address: str = "10.0.0.1/24", **facts: Any) -> str:
    config = make_config({"device": device, "address": [address]})
    return "\n".join(plan(config, make_host(config, interfaces=interfaces, **facts)).warnings)


def test_an_interface_with_nothing_special_is_not_worth_a_word() -> None:
    assert warnings("net_af_packet0,iface=eth0", ETH0) == ""


@pytest.mark.parametrize(
    "device",
    ["net_af_packet0,iface=eth0", "net_pcap0,iface=eth0", "net_pcap0,rx_iface_in=eth0,tx_iface=eth0"],
)
@pytest.mark.parametrize("where", ["eth0", "eth1"])
def test_an_address_that_is_also_the_kernels_is_answered_twice(device: str, where: str) -> None:
    interfaces = Interface("eth0", 1500, ()), Interface(where, 1500, ("10.0.0.1",))
    said = warnings(device, *interfaces)
    assert f"game0: 10.0.0.1 is also the kernel's, on {where}: both answer" in said
    assert "firewall drop UDP port 8080" in said
    assert "engine: epoll" in said


def test_an_address_of_the_kernel_at_the_other_end_of_a_tap() -> None:
    said = warnings("net_tap0", Interface("dummy0", 1500, ("10.0.0.1",)))
    assert "10.0.0.1 is the kernel's own address on dummy0" in said
    assert "give the port another address" in said


@pytest.mark.parametrize("device", ["net_af_xdp0,iface=eth0", "net_tap0,remote=eth0"])
def test_an_interface_that_the_kernel_loses_is_said_with_its_addresses(device: str) -> None:
    said = warnings(device, ETH0)
    assert said.endswith("no longer reached at 192.0.2.5, nor over it by whoever is logged in")
    assert warnings(device, Interface("eth0", 1500, ("fe80::1",))) == ""


def test_an_interface_that_is_down() -> None:
    down = Interface("eth0", 1500, (), up=False)
    assert warnings("net_af_packet0,iface=eth0", down) == (
        "game0: eth0 is down, so nothing arrives; run: ip link set eth0 up"
    )
    config = make_socket_config("epoll", ["10.0.0.1/24"])
    below = Interface("eth0", 1500, ("10.0.0.1",), up=False)
    assert "eth0 is down" in plan(config, make_host(config, interfaces=(below,))).warnings[0]


def test_an_interface_with_jumbo_frames() -> None:
    said = warnings("net_af_packet0,iface=eth0", Interface("eth0", 9000, ()))
    assert said.startswith(
        "game0: eth0 has an MTU of 9000 bytes; frames above 1,522 bytes are dropped as too_long"
    )


def test_an_address_of_the_kernel_is_right_for_its_sockets() -> None:
    config = make_socket_config("epoll", ["192.0.2.5/24"])
    assert plan(config, make_host(config, interfaces=(ETH0,))).warnings == ()


def test_cpu_time_that_is_limited_is_said_with_the_limit() -> None:
    config = make_socket_config()
    (warning,) = plan(config, make_host(config, cpu_time_limit_s=60)).warnings
    assert "may use 60 s of CPU time" in warning
    assert "LimitCPU" in warning


def test_a_wire_that_the_kernel_has_no_part_in_may_have_any_address() -> None:
    assert warnings("net_memif0", Interface("eth0", 1500, ("10.0.0.1",))) == ""


@pytest.mark.parametrize(("abi", "warned"), [("23.0", 0), ("25.1", 0), ("25.2", 1), ("26.0", 1)])
def test_net_null_that_keeps_what_is_sent_is_told_by_the_release(abi: str, warned: int) -> None:
    pmds = Path(f"/usr/lib/dpdk/pmds-{abi}")
    assert warnings("net_null0,copy=1", pmd_directory=pmds).count("a fault of DPDK") == warned
    assert warnings("net_null0", pmd_directory=pmds) == ""


# ---- on a real wire


@pytest.fixture
def wire() -> Any:
    if reason := why_not():
        pytest.skip(reason)
    with Namespace() as players, Namespace() as here:
        here.run("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "far0", "netns", players.path)
        here.run("ip", "link", "set", "wire0", "up")
        players.run("ip", "link", "set", "far0", "up")
        players.run("ip", "addr", "add", "10.0.0.2/24", "dev", "far0")
        players.run("ethtool", "-K", "far0", "tx", "off")
        yield here, players


def settings(address: str) -> dict[str, Any]:
    return {
        "eal": {"memory_mib": 64},
        "ports": [{"name": "game0", "device": "net_af_packet0,iface=wire0", "address": [address]}],
        "log": {"level": "warning"},
    }


def checked(namespace: Namespace, directory: Path, address: str) -> str:
    path = directory / "check.yaml"
    path.write_text(json.dumps(settings(address)))
    command = [*namespace.prefix, sys.executable, "-P", "-m", "pyshim.cli", "check", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return " ".join(done.stdout.split())


def test_the_kernels_own_address_is_refused_to_players_by_the_kernel_as_check_and_run_say(
    wire: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    here, players = wire
    here.run("ip", "addr", "add", "10.0.0.1/24", "dev", "wire0")
    said = "10.0.0.1 is also the kernel's, on wire0: both answer"
    assert said in checked(here, tmp_path, "10.0.0.1/24")
    with NetworkGate(here, settings("10.0.0.1/24"), tmp_path) as gate:
        player = players.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        player.settimeout(60)
        player.connect(("10.0.0.1", 8080))
        player.send(b"whatever")
        with pytest.raises(ConnectionRefusedError):
            player.recv(100)
        player.close()
        assert gate.stop() == 0
    assert said in gate.stderr


def test_a_second_gate_on_an_interface_is_told_of_the_first(
    wire: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    here, _players = wire
    assert "another pollgate" not in checked(here, tmp_path, "10.0.0.3/24")
    with NetworkGate(here, settings("10.0.0.1/24"), tmp_path):
        assert "has wire0 open too; each gets every frame" in checked(here, tmp_path, "10.0.0.3/24")


def test_an_interface_that_is_down_in_this_namespace_is_said_to_be(
    wire: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    here, _players = wire
    here.run("ip", "link", "set", "wire0", "down")
    assert "wire0 is down, so nothing arrives; run: ip link set wire0 up" in checked(
        here, tmp_path, "10.0.0.1/24"
    )
