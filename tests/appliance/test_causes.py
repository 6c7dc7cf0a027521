# SPDX-License-Identifier: BSD-3-Clause
"""Starts that fail for a known reason name that reason, and none that stands in the log by the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyshim.host.pmd import find_pmd_directory
from pyshim.system.namespaces import with_mount
from tests.appliance.refusals import UNAVAILABLE, assert_says, refused
from tests.gate import Gate
from tests.network.namespace import Namespace

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


def config(device: str, **eal: Any) -> dict[str, Any]:
    return {
        "eal": {"memory_mib": 64, **eal},
        "ports": [{"name": "game0", "device": device, "address": ["10.0.0.1/24"]}],
        "metrics": {"listen": None},
    }


@pytest.fixture
def wire(namespace: Namespace) -> Namespace:
    """The namespace with an interface in0 that is up."""
    namespace.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "in1")
    namespace.run("ip", "link", "set", "in0", "up")
    return namespace


def _without(library: str, directory: Path) -> tuple[str, ...]:
    """Put before a command: DPDK's drivers but for one, seen by that command alone."""
    pmds = find_pmd_directory()
    assert pmds is not None
    copy = directory / "pmds"
    shutil.copytree(pmds, copy, symlinks=True)
    for file in copy.glob(f"{library}.so*"):
        file.unlink()
    return with_mount(str(pmds), f"mount --bind {copy} {pmds}")


@needs_root
def test_missing_driver_for_packet_pools_is_named_with_its_package(tmp_path: Path) -> None:
    prefix = _without("librte_mempool_ring", tmp_path)
    sentence = refused(config("net_null0"), tmp_path, UNAVAILABLE, prefix=prefix)
    assert_says(sentence, "driver for packet pools is not installed", "apt install librte-mempool-ring2")


@needs_root
def test_missing_library_of_a_driver_is_named_with_its_package(tmp_path: Path) -> None:
    prefix = _without("librte_bus_vdev", tmp_path)
    sentence = refused(config("net_null0"), tmp_path, UNAVAILABLE, prefix=prefix)
    assert_says(sentence, "librte_bus_vdev.so", "apt install librte-bus-vdev2")


@needs_root
def test_limit_of_processes_is_named_and_not_taken_for_a_permission(open_directory: Path) -> None:
    # As a user of whom nothing else runs. Which of the threads is one too many, the limit decides: one of the
    # supervisor's, the worker process, one of DPDK's (which gives up in more ways than one), one that polls.
    user = str(2_000_000 + os.getpid())
    stranger = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    settings = {**config("net_null0"), "metrics": {"listen": "127.0.0.1:0"}}
    limits = 0
    for limit in range(1, 32):
        command = ("prlimit", f"--nproc={limit}", *stranger)
        with Gate(settings, open_directory, args=["--for", "0.1"], wait_ready=False, prefix=command) as gate:
            if gate.wait() == 0:
                break
            assert gate.process.returncode == UNAVAILABLE, gate.stderr
        (sentence,) = gate.stderr.splitlines()
        assert_says(sentence, "limit of processes", "pids.max")
        assert "permitted" not in sentence
        limits += 1
    assert 1 < limits < 31


def test_frames_that_fit_no_buffer_are_not_too_little_memory(wire: Namespace, tmp_path: Path) -> None:
    device = "net_af_packet0,iface=in0,blocksz=8192,framesz=4096"
    sentence = refused(config(device), tmp_path, UNAVAILABLE, prefix=wire.prefix)
    assert_says(sentence, "frames of 4064 bytes do not fit the packet buffers", "framesz=")
    assert "memory_mib" not in sentence


def test_ring_that_the_kernel_refuses_is_refused_with_its_rules(wire: Namespace, tmp_path: Path) -> None:
    device = "net_af_packet0,iface=in0,framesz=3000"
    sentence = refused(config(device), tmp_path, UNAVAILABLE, prefix=wire.prefix)
    assert_says(sentence, "blocksz must be a multiple", "framesz")


def test_interface_that_is_no_tap_device_is_no_matter_of_arguments(wire: Namespace, tmp_path: Path) -> None:
    sentence = refused(config("net_tap0,iface=in0"), tmp_path, UNAVAILABLE, prefix=wire.prefix)
    assert_says(sentence, "in0", "exists")


def test_driver_that_gives_no_reason_is_not_said_to_lack_permission(tmp_path: Path) -> None:
    # net_bonding's configure() returns a bare -1 for whatever it did not like.
    sentence = refused(config("net_bonding0,mode=1"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "net_bonding0", "the driver does not say why")
    assert "permitted" not in sentence


@pytest.mark.skipif(Path("/dev/vhost-net").exists(), reason="/dev/vhost-net is here")
def test_missing_vhost_net_is_named(tmp_path: Path) -> None:
    sentence = refused(config("net_virtio_user0,path=/dev/vhost-net"), tmp_path, UNAVAILABLE)
    assert_says(sentence, "/dev/vhost-net", "modprobe vhost-net")


@needs_root
@pytest.mark.parametrize("directory", ["proc", "sys", "dev"])
def test_chroot_without_the_kernels_file_systems_is_told_what_to_mount(
    directory: str, tmp_path: Path
) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(json.dumps(config("net_null0")))
    pollgate = [sys.executable, "-P", "-m", "pyshim.cli", "run", "-c", str(path), "--for", "0.1"]
    command = [*with_mount(f"/{directory}", f"mount -t tmpfs none /{directory}"), *pollgate]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == UNAVAILABLE, done.stderr
    assert_says(done.stderr, f"/{directory} is not mounted here; run: mount ")
    assert len(done.stderr.splitlines()) == 1
