# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's private network: what is inside, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pyshim.bench.rig.placement import choose_placement, cpu_time
from pyshim.bench.rig.private_network import (
    GENERATOR_INTERFACE,
    GENERATOR_MAC,
    SERVER_INTERFACE,
    SERVER_MAC,
    PrivateNetwork,
    private_network,
)
from pyshim.errors import InternalError, UnavailableError
from pyshim.system.namespaces import with_mount
from tests.network.namespace import why_not

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if reason := why_not():
        pytest.skip(reason)


def seen(inside: Sequence[str] = ()) -> tuple[object, ...]:
    """What this thread, and a process that it starts, see of the world."""
    listing = subprocess.run([*inside, "ls", "/sys/class/net"], capture_output=True, text=True, check=True)
    return (
        Path("/proc/thread-self/ns/net").readlink(),
        Path("/proc/thread-self/ns/mnt").readlink(),
        sorted(name for _, name in socket.if_nameindex()),
        listing.stdout.split(),
        Path.cwd(),
        Path("/proc/self/mounts").read_text(),
    )


@pytest.fixture
def unchanged() -> Iterator[None]:
    before = seen()
    yield
    assert seen() == before


def of(network: PrivateNetwork, interface: str, what: str) -> str:
    """What the /sys of the inside says of an interface."""
    command = (*network.inside, "cat", f"/sys/class/net/{interface}/{what}")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def steered(network: PrivateNetwork, interface: str) -> int:
    """CPUs that an interface's packets are steered to, as bits."""
    return int(of(network, interface, "queues/rx-0/rps_cpus").replace(",", ""), 16)


@pytest.mark.usefixtures("unchanged")
def test_both_ends_are_up_and_only_the_servers_address_comes_and_goes() -> None:
    with private_network() as network:
        inside = seen(network.inside)
        assert inside[2] == sorted(["lo", GENERATOR_INTERFACE, SERVER_INTERFACE])
        assert inside[3] == inside[2], "children see the interfaces of the inside"
        assert (of(network, SERVER_INTERFACE, "address"), of(network, GENERATOR_INTERFACE, "address")) == (
            SERVER_MAC,
            GENERATOR_MAC,
        )
        assert {steered(network, SERVER_INTERFACE), steered(network, GENERATOR_INTERFACE)} == {0}
        with network.server_address() as address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind((str(address), 8080))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own, pytest.raises(OSError, match="assign"):
            own.bind((str(address), 8080))


@pytest.mark.usefixtures("unchanged")
def test_a_player_on_a_socket_has_the_other_ends_address_while_that_is_asked_for() -> None:
    with private_network() as network:
        with network.generator_address() as address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind((str(address), 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own, pytest.raises(OSError, match="assign"):
            own.bind((str(address), 0))


@pytest.mark.usefixtures("unchanged")
def test_each_side_receives_on_its_own_cpu_when_that_is_asked_for() -> None:
    with private_network(steer_to=(1, 0)) as network:
        assert steered(network, SERVER_INTERFACE) == 1 << 1
        assert steered(network, GENERATOR_INTERFACE) == 1 << 0


@pytest.mark.usefixtures("unchanged")
def test_a_failure_inside_leads_out_again() -> None:
    with pytest.raises(UnavailableError, match="something"), private_network():
        raise UnavailableError("something is missing")


ROOT_IS_A_MOUNT = 'mount --rbind / "$ROOT"'
ROOT_IS_A_FOLDER = """
for part in /*; do
    if [ -L "$part" ]; then cp -P "$part" "$ROOT"
    elif [ -d "$part" ]; then mkdir "$ROOT$part" && mount --rbind "$part" "$ROOT$part"
    fi || exit
done"""
IN_A_CHROOT = """
mount -t tmpfs tmpfs "$ROOT/mnt" && touch "$ROOT/mnt/inside" &&
exec chroot "$ROOT" "$0" -P -c '
import os
from pyshim.bench.rig.private_network import private_network
os.chdir("/mnt")
with private_network() as network:
    assert os.path.exists("/mnt/inside"), "while it lasts"
assert os.path.exists("/mnt/inside"), "after it"
assert os.path.exists("inside"), "in its directory"
'
"""


@pytest.mark.parametrize("root", [ROOT_IS_A_MOUNT, ROOT_IS_A_FOLDER], ids=["mount", "folder"])
def test_a_benchmark_in_a_chroot_is_still_in_it_when_its_network_is_gone(root: str, tmp_path: Path) -> None:
    command = (*with_mount("/mnt", root), "sh", "-c", IN_A_CHROOT, sys.executable)
    environment = {**os.environ, "ROOT": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("unchanged")
def test_a_killed_benchmark_leaves_nothing_behind() -> None:
    script = (
        "import time\n"
        "from pyshim.bench.rig.private_network import private_network\n"
        "with private_network():\n"
        "    print('in', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=WAIT_S)


def test_without_root_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(
        UnavailableError, match=r"^this benchmark makes a network namespace .* needs root; use sudo$"
    ):
        private_network().__enter__()


def test_without_iproute2_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnavailableError, match="apt-get install iproute2"):
        private_network().__enter__()


def test_each_side_has_a_cpu_and_one_cpu_is_said_to_be_shared() -> None:
    apart, together = choose_placement([3, 1, 2]), choose_placement([4])

    assert (apart.server, apart.generator, apart.note) == (3, 1, "")
    assert (together.server, together.generator) == (4, 4)
    assert "share CPU 4" in together.note


def test_what_a_cpu_did_is_read_from_the_kernels_account(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    stat = tmp_path / "proc/stat"
    stat.write_text(
        "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 100 10 200 999 50 30 70 5 0 0\ncpu10 1 1 1 1 1 1 1 1 0 0\n"
    )
    before = cpu_time(1, tmp_path)
    stat.write_text("cpu1 150 10 250 1999 50 31 79 5 0 0\n")
    spent = cpu_time(1, tmp_path).since(before)

    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    assert spent.working_s == pytest.approx(110 * tick_s)
    assert spent.interrupts_s == pytest.approx(10 * tick_s)
    with pytest.raises(InternalError, match="no CPU 7"):
        cpu_time(7, tmp_path)
