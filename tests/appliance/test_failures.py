# SPDX-License-Identifier: BSD-3-Clause
"""What cannot work ends with one sentence and the right exit code, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyshim.protocol.capture import Scene, write
from pyshim.protocol.edge_cases import Gate as Target
from tests.appliance.conservation import assert_no_buffer_is_missing, books
from tests.appliance.refusals import (
    CONFIG,
    RUNTIME_DIRECTORIES,
    UNAVAILABLE,
    USAGE,
    assert_says,
    files_left,
    processes_of,
    refused,
)
from tests.appliance.replay import UNLIMITED, write_capture
from tests.gate import Gate
from tests.network.namespace import Namespace
from tests.nobody import NOBODY
from tests.strategies import LISTENERS, MAC, MAC_BYTES, OWN4, OWN6, Datagram, Link, chat_body

ROOT = Path(__file__).resolve().parents[2]
CPUS = sorted(os.sched_getaffinity(0))
FILE_PREFIX = f"pgtest{os.getpid()}"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="becoming nobody takes root and setpriv"
)


def config(device: str = "net_null0", **changes: Any) -> dict[str, Any]:
    port = {"name": "game0", "device": device, "address": ["10.0.0.1/24"], **changes.pop("port", {})}
    return {"eal": {"memory_mib": 128}, "ports": [port], **changes}


# ---- devices


def test_unknown_driver_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    sentence = refused(config("net_nonsense0"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "gate.yaml:", "ports[0].device", "net_nonsense0", "net_pcap", "net_null")


def test_argument_that_the_driver_does_not_know_is_its_refusal(tmp_path: Path) -> None:
    sentence = refused(config("net_null0,nonsense=1"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "game0", "net_null0", "arguments")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"good morning, this is a letter and not a capture", "is not a pcap file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(60), "block at byte 0 is broken"),
    ],
    ids=["missing", "empty", "text", "pcapng"],
)
def test_capture_that_cannot_be_replayed_is_refused_by_name(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "players.pcap"
    if content is not None:
        path.write_bytes(content)
    sentence = refused(config(f"net_pcap0,rx_pcap={path}"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "ports[0].device", f"{path} {reason}")


def test_output_in_a_directory_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    write_capture(tmp_path / "in.pcap", [bytes(60)])
    out = tmp_path / "missing" / "out.pcap"
    device = f"net_pcap0,rx_pcap={tmp_path / 'in.pcap'},tx_pcap={out}"
    sentence = refused(config(device), tmp_path, UNAVAILABLE)
    assert_says(sentence, str(out), f"{out.parent} is not a directory")


def test_pci_address_that_does_not_exist_is_no_matter_of_huge_pages(tmp_path: Path) -> None:
    sentence = refused(config("0000:ff:1f.7"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "ports[0].device", "0000:ff:1f.7 does not exist")
    assert "huge" not in sentence


def _nic_of_the_kernel() -> str | None:
    for device in sorted(Path("/sys/bus/pci/devices").glob("*")):
        is_network = (device / "class").read_text().startswith("0x02")
        if is_network and (device / "driver").exists() and (device / "driver").resolve().name != "vfio-pci":
            return device.name
    return None


@pytest.mark.skipif(_nic_of_the_kernel() is None, reason="no network card here that the kernel drives")
def test_network_card_that_the_kernel_drives_is_refused_with_the_command_to_take_it(tmp_path: Path) -> None:
    # `check` and not `run`: should the refusal ever fail, this machine keeps its network.
    address = _nic_of_the_kernel()
    path = tmp_path / "gate.yaml"
    path.write_text(json.dumps(config(address or "")))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pyshim.cli", "check", "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == UNAVAILABLE
    assert_says(done.stderr, f"ports[0].device: {address}")
    assert "dpdk-devbind.py" in done.stderr or "no installed DPDK driver" in done.stderr


def test_interface_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    sentence = refused(config("net_af_packet0,iface=nosuch9"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "nosuch9", "no such interface", "lo")


# ---- memory and CPUs


def test_huge_pages_that_are_not_there_are_asked_for_with_the_command(tmp_path: Path) -> None:
    many = {"huge_pages": True, "memory_mib": 1_000_000}  # more than any machine of tests reserves
    sentence = refused(config(eal=many), tmp_path, UNAVAILABLE)
    assert_says(sentence, "eal.huge_pages", "1000000 MiB needed", "nr_hugepages", "huge_pages: false")


def test_too_little_memory_for_the_packet_buffers_says_how_much_is_needed(tmp_path: Path) -> None:
    deep = {"rx_descriptors": 8192, "tx_descriptors": 8192}
    sentence = refused(config(eal={"memory_mib": 64}, port={**deep, "queues": 4}), tmp_path, CONFIG)
    needed = re.search(r"set it to (\d+) or more", sentence)
    assert needed
    assert_says(sentence, "eal.memory_mib", "64 MiB given")
    enough = config(eal={"memory_mib": int(needed[1])}, port={**deep, "queues": 4})
    with Gate(enough, tmp_path, args=["--for", "0.1"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr


def test_more_memory_than_the_machine_has_is_refused(tmp_path: Path) -> None:
    sentence = refused(config(eal={"memory_mib": 1_048_576}), tmp_path, UNAVAILABLE)
    assert_says(sentence, "eal.memory_mib", "1048576 MiB asked", "available")


@pytest.mark.skipif(len(CPUS) < 2, reason="a CPU outside the cpuset takes two CPUs")
def test_cpu_outside_the_cpuset_is_refused_with_the_cpuset(tmp_path: Path) -> None:
    inside, outside = CPUS[:2]
    sentence = refused(
        config(workers={"cpus": [outside]}), tmp_path, UNAVAILABLE, prefix=("taskset", "-c", str(inside))
    )
    assert_says(sentence, "workers.cpus", f"CPU {outside} is outside", f"({inside})")


def test_one_cpu_is_enough_to_run(tmp_path: Path) -> None:
    alone = ("taskset", "-c", str(CPUS[0]))
    with Gate(config(), tmp_path, args=["--for", "0.3"], wait_ready=False, prefix=alone) as gate:
        assert gate.wait() == 0, gate.stderr
    assert books(gate.summary).received > 0


@pytest.fixture
def prefix_files() -> Iterator[str]:
    """A file prefix of this process's own."""
    yield FILE_PREFIX
    for directory in RUNTIME_DIRECTORIES[:2]:
        shutil.rmtree(Path(directory) / FILE_PREFIX, ignore_errors=True)


def test_file_prefix_in_use_is_refused_and_the_other_one_runs_on(prefix_files: str, tmp_path: Path) -> None:
    shared = config(eal={"memory_mib": 128, "in_memory": False, "file_prefix": prefix_files})
    second = tmp_path / "second"
    second.mkdir()
    with Gate(shared, tmp_path) as first:
        sentence = refused(shared, second, UNAVAILABLE)
        assert_says(sentence, "another DPDK program", prefix_files, "eal.file_prefix")
        before = first.metrics().value("pollgate_received_packets_total")
        first.wait_metric("pollgate_received_packets_total", before + 1)
        assert first.stop() == 0


def test_file_prefix_of_a_run_that_was_killed_can_be_used_again(prefix_files: str, tmp_path: Path) -> None:
    shared = config(eal={"memory_mib": 128, "in_memory": False, "file_prefix": prefix_files})
    with Gate(shared, tmp_path) as gate:
        gate.kill_worker()
        gate.wait_metric("pollgate_worker_restarts_total", 1)
        gate.wait_ready()
        assert gate.stop() == 0
    left = [Path(directory) / prefix_files for directory in RUNTIME_DIRECTORIES[:2]]
    assert not any(directory.exists() for directory in left), "DPDK's own files are left behind"


# ---- permissions and sockets


def test_metrics_port_in_use_is_refused_by_its_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        sentence = refused(config(metrics={"listen": address}), tmp_path, UNAVAILABLE)
    assert_says(sentence, "metrics.listen", address)


@needs_root
@pytest.mark.parametrize(
    ("device", "capability"), [("net_af_packet0,iface=lo", "NET_RAW"), ("net_tap0", "NET_ADMIN")]
)
def test_device_that_takes_privileges_is_refused_to_nobody_with_the_capability(
    device: str, capability: str, open_directory: Path
) -> None:
    sentence = refused(config(device), open_directory, UNAVAILABLE, prefix=NOBODY)
    assert_says(sentence, "ports[0].device", f"CAP_{capability}", f"--cap-add {capability}")


@needs_root
def test_nobody_can_run_the_demo(open_directory: Path) -> None:
    capture = open_directory / "demo.pcap"
    write(capture, Scene(Target(MAC_BYTES, OWN4[0], OWN6[0], 8080), 100, 2000, seed=1, hostile=0.05))
    demo = yaml.safe_load((ROOT / "configs/demo.yaml").read_text().replace("02:00:00:00:00:02", f"'{MAC}'"))
    demo["ports"][0]["device"] = demo["ports"][0]["device"].replace("var/demo.pcap", str(capture))
    demo["metrics"]["listen"] = "127.0.0.1:0"
    before = files_left()
    with Gate(demo, open_directory, prefix=NOBODY) as gate:
        gate.wait_metric("pollgate_messages_total", 10_000)
        assert gate.stop() == 0
        assert processes_of(gate.process.pid) == []
    assert files_left() - before == set()
    assert books(gate.summary).answered >= 10_000


# ---- configuration and command line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ports: []", ("gate.yaml:1: ports",)),
        ("prots: []\nports: [{name: a, device: net_null0, address: [10.0.0.1/24]}]", ("prots", "ports")),
        ("ports: [{name: a, device: net_null0}]", ("ports[0].address",)),
        ("ports: [", ("gate.yaml:1",)),
        ("", ("ports",)),
    ],
    ids=["no-port", "misspelt", "no-address", "no-yaml", "empty"],
)
def test_wrong_configuration_is_refused_with_its_line(
    text: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    assert_says(refused(text, tmp_path, CONFIG), *parts)


def test_every_problem_of_a_configuration_is_told_at_once(tmp_path: Path) -> None:
    wrong = config("net_nonsense0", listen=[{"port": 0}, {"port": 70_000}])
    with Gate(wrong, tmp_path, wait_ready=False) as gate:
        assert gate.wait() == CONFIG
    assert_says(gate.stderr, "listen[0].port", "listen[1].port", "2 errors")


@pytest.mark.parametrize(
    "arguments",
    [[], ["-c", "x.yaml", "--for", "soon"], ["-c", "x.yaml", "--nonsense"]],
    ids=["no-file", "no-number", "unknown-option"],
)
def test_wrong_command_line_is_usage(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pyshim.cli", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == USAGE
    assert "Usage: pollgate run" in done.stderr
    assert "Traceback" not in done.stderr


# ---- answers that cannot leave


def _chat(number: int) -> bytes:
    text = b"x" * 500
    message = b"\x03\0\0\0" + (28 + len(text)).to_bytes(4, "little") + bytes(8) + chat_body(1, 0, 0, text)
    link = Link(MAC_BYTES, bytes.fromhex("020000000007"))
    source = IPv4Address("10.0.0.7")
    return Datagram(link, source, OWN4[0], {}, 5000 + number, LISTENERS[0], True, message).frame()


def test_answers_that_the_device_does_not_take_are_counted_and_their_buffers_freed(
    namespace: Namespace, tmp_path: Path
) -> None:
    # An interface that sends nothing above 100 bytes: the driver stops at the first answer of each burst.
    namespace.run("ip", "link", "add", "out0", "mtu", "100", "type", "veth", "peer", "name", "out1")
    for end in ("out0", "out1"):
        namespace.run("ip", "link", "set", end, "up")
    write_capture(tmp_path / "in.pcap", [_chat(number) for number in range(1000)])
    device = f"net_pcap0,rx_pcap={tmp_path / 'in.pcap'},tx_iface=out0"
    settings = config(
        device, port={"mac": MAC}, host=UNLIMITED, listen=[{"port": LISTENERS[0]}], metrics={"listen": None}
    )
    with Gate(
        settings, tmp_path, args=["--until-idle", "0.5"], wait_ready=False, prefix=namespace.prefix
    ) as gate:
        assert gate.wait() == 0, gate.stderr
    ended = books(gate.summary)
    assert ended.handled == {"chat": 1000}
    assert ended.sent == ended.originated  # a gratuitous ARP is short enough
    assert ended.unsent == {"queue_full": 1000}
    assert_no_buffer_is_missing(gate.summary)


def test_wire_without_anybody_at_its_other_end_is_a_link_that_is_down(tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    device = f"net_memif0,role=server,socket={path},socket-abstract=no"
    with Gate(config(device), tmp_path, args=["--until-idle", "0.3"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr
    ended = books(gate.summary)
    assert gate.summary["pollgate_port_link_up"] == {"game0": 0}
    assert ended.received == ended.sent == 0
    assert ended.unsent == {"link_down": ended.originated}
    assert_no_buffer_is_missing(gate.summary)
    assert not path.exists()


def test_socket_that_nobody_serves_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    device = f"net_memif0,role=client,socket={path},socket-abstract=no"
    assert_says(refused(config(device), tmp_path, UNAVAILABLE), "game0", "net_memif0", str(path))


def test_own_announcement_that_comes_back_is_dropped_as_a_bad_source(tmp_path: Path) -> None:
    with Gate(config("net_ring0"), tmp_path, args=["--until-idle", "0.3"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr
    ended = books(gate.summary)
    assert ended.sent == ended.received == ended.originated >= 1
    assert ended.dropped == {"bad_source": ended.received}
    assert_no_buffer_is_missing(gate.summary)


def test_run_that_ends_well_leaves_nothing_behind(tmp_path: Path) -> None:
    before = files_left()
    with Gate(config(), tmp_path) as gate:
        gate.kill_worker()
        gate.wait_metric("pollgate_worker_restarts_total", 1)
        gate.wait_ready()
        assert gate.stop() == 0
        assert processes_of(gate.process.pid) == []
    assert files_left() - before == set()
