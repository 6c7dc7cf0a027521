# SPDX-License-Identifier: BSD-3-Clause
"""The drivers that are really installed say which devices they drive."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyshim.host import PciId, PmdClaim
from pyshim.host.pmd import (
    PmdInfo,
    find_pmd_directory,
    pool_driver,
    read_pmd_info,
    scan_claims,
    virtual_driver,
)


@pytest.fixture(scope="module")
def pmds() -> Path:
    directory = find_pmd_directory()
    assert directory is not None, "DPDK is not installed"
    return directory


def test_the_directory_is_the_one_that_dpdk_loads_from(pmds: Path) -> None:
    assert pmds.name.startswith("pmds-")
    assert list(pmds.glob("librte_net_null.so*"))


def test_no_dpdk_is_no_directory(tmp_path: Path) -> None:
    assert find_pmd_directory(tmp_path) is None


@pytest.mark.parametrize(
    ("ids", "driver"),
    [
        (PciId(0x8086, 0x10FB, 0x8086, 0x0003), "net_ixgbe"),
        (PciId(0x8086, 0x10D3, 0x8086, 0xA01F), "net_e1000_em"),
        (PciId(0x1AF4, 0x1041, 0x1AF4, 0x1100), "net_virtio"),
    ],
)
def test_a_well_known_device_is_claimed_by_its_driver(pmds: Path, ids: PciId, driver: str) -> None:
    (claim,) = scan_claims(pmds, frozenset({ids}))[ids]
    assert claim.driver == driver
    assert ("vfio-pci",) in claim.kmods
    assert not claim.bifurcated


def test_mlx5_works_beside_its_kernel_driver(pmds: Path) -> None:
    ids = PciId(0x15B3, 0x1017, 0x15B3, 0x0001)
    claim = next(claim for claim in scan_claims(pmds, frozenset({ids}))[ids] if claim.driver == "mlx5_eth")
    assert claim.bifurcated
    assert claim.kmods == (("ib_uverbs", "mlx5_core", "mlx5_ib"),)


def test_an_unknown_device_is_claimed_by_nobody(pmds: Path) -> None:
    ids = PciId(0xDEAD, 0xBEEF, 0, 0)
    assert scan_claims(pmds, frozenset({ids})) == {ids: ()}


def test_a_pattern_with_subsystem_ids_wants_them_equal() -> None:
    info = PmdInfo("net_x", (), (PciId(1, 2, 0xFFFF, 4),))
    assert info.drives(PciId(1, 2, 3, 4))
    assert not info.drives(PciId(1, 2, 3, 5))


def test_a_pattern_for_every_vendor_and_device_stands_for_a_class_and_names_none() -> None:
    info = PmdInfo("net_x", (), (PciId(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF), PciId(1, 2, 0xFFFF, 0xFFFF)))
    assert info.goes_by_class
    assert info.drives(PciId(1, 2, 3, 4))
    assert not info.drives(PciId(1, 3, 3, 4))


def test_who_goes_by_a_class_claims_what_is_of_one_of_its_own_and_no_other_driver_names(
    pmds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anything = PmdInfo("net_x", (), (PciId(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),))
    ixgbe = PmdInfo("net_y", (), (PciId(0x8086, 0x10FB, 0xFFFF, 0xFFFF),))
    monkeypatch.setattr("pyshim.host.pmd._network_libraries", lambda _: [pmds])
    monkeypatch.setattr("pyshim.host.pmd.read_pmd_info", lambda _: iter((anything, ixgbe)))
    known, strange, plain = PciId(0x8086, 0x10FB, 1, 2), PciId(0xDEAD, 1, 0, 0), PciId(0xDEAD, 2, 0, 0)
    found = scan_claims(pmds, frozenset({known, strange, plain}), frozenset({known, strange}))
    drivers = {ids: [claim.driver for claim in claims] for ids, claims in found.items()}
    assert drivers == {known: ["net_y"], strange: ["net_x"], plain: []}


def test_a_driver_without_kernel_modules_is_not_bifurcated() -> None:
    assert not PmdClaim("net_x", Path("x.so"), ()).bifurcated


def test_a_file_that_is_no_elf_object_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "librte_net_x.so").write_bytes(b"not ELF")
    assert list(read_pmd_info(tmp_path / "librte_net_x.so")) == []


@pytest.mark.parametrize("name", ["net_pcap0", "eth_pcap0", "net_af_packet3", "net_null0", "net_bonding1"])
def test_an_installed_virtual_driver_is_found_by_its_file(pmds: Path, name: str) -> None:
    assert virtual_driver(name, pmds).installed


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("net_memif0", "librte-net-memif23"),
        ("net_af_packet0", "librte-net-af-packet23"),
        ("net_virtio_user0", "librte-net-virtio23"),
    ],
)
def test_a_missing_driver_is_named_with_its_package(tmp_path: Path, name: str, package: str) -> None:
    directory = tmp_path / "pmds-23.0"
    directory.mkdir()
    presence = virtual_driver(name, directory)
    assert not presence.installed
    assert presence.hint.endswith(f"apt install {package}")


def test_the_driver_for_packet_pools_is_found_or_named_with_its_package(pmds: Path, tmp_path: Path) -> None:
    assert pool_driver(pmds).installed
    directory = tmp_path / "pmds-23.0"
    directory.mkdir()
    assert pool_driver(directory).hint.endswith("apt install librte-mempool-ring23")


def test_a_misspelt_driver_gets_a_suggestion(pmds: Path) -> None:
    assert virtual_driver("net_pcpa0", pmds).hint.endswith("did you mean net_pcap?")
