# SPDX-License-Identifier: BSD-3-Clause
"""Keys that the engine has no use for, or does not go without: each one sentence, at its line."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

import pytest

from pyshim.config import Config
from tests.config.written import errors, load

DPDK = """\
ports:
  - name: game0
    device: net_null0
    address: [10.0.0.1/24]
"""
SOCKETS = """\
engine: {}
ports:
  - name: game0
    address: [127.0.0.1/8, "::1/128"]
"""


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_a_socket_engine_needs_no_device(engine: str) -> None:
    config = load(SOCKETS.format(engine))
    assert config.uses_sockets
    assert (config.ports[0].is_pci, config.ports[0].device) == (False, "")
    assert config.sockets.receive_buffer_kib == config.sockets.send_buffer_kib == 4096
    assert config.sockets.zero_copy_bytes == 0


@pytest.mark.parametrize("text", [DPDK, "engine: dpdk\n" + DPDK])
def test_dpdk_is_the_engine_when_nothing_else_is_said(text: str) -> None:
    assert load(text).engine == "dpdk"
    assert not load(text).uses_sockets


@pytest.mark.parametrize("first", ["", "engine: dpdk\n"])
def test_dpdk_needs_a_device(first: str) -> None:
    line = 2 + first.count("\n")
    assert errors(first + "ports:\n  - name: game0\n    address: [10.0.0.1/24]\n") == [
        f"gate.yaml:{line}: ports[0].device: missing; write a PCI address such as 03:00.0, "
        "or a virtual device such as net_pcap0,rx_pcap=in.pcap"
    ]


def test_a_misspelt_device_is_not_missed_too() -> None:
    assert errors(DPDK.replace("device", "devcie")) == [
        'gate.yaml:3: ports[0].devcie: unknown key; did you mean "device"?'
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("engin: epoll", 'engin: unknown key; did you mean "engine"?'),
        ("engine: epol", 'engine: found "epol", allowed: dpdk, io_uring or epoll; did you mean "epoll"?'),
        ("engine: [epoll]", "engine: found a list of 1 entry, allowed: dpdk, io_uring or epoll"),
    ],
)
def test_of_an_engine_that_is_misspelt_nothing_else_is_said(line: str, sentence: str) -> None:
    assert errors(SOCKETS.format("x").replace("engine: x", line)) == [f"gate.yaml:1: {sentence}"]


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
@pytest.mark.parametrize(
    "setting",
    ["mac: 02:00:00:00:00:02", "promiscuous: false", "checksums: auto", "rx_descriptors: 1024", "tx_descriptors: 64"],
)  # fmt: skip
def test_a_setting_of_devices_is_refused_with_sockets(engine: str, setting: str) -> None:
    key = setting.partition(":")[0]
    assert errors(SOCKETS.format(engine) + f"    {setting}\n") == [
        f"gate.yaml:5: ports[0].{key}: engine {engine} receives through the kernel's sockets, which have no such setting; "
        "remove it, or use engine: dpdk"
    ]


def test_a_device_is_refused_with_sockets() -> None:
    assert errors(SOCKETS.format("epoll") + "    device: 0000:03:00.0\n") == [
        "gate.yaml:5: ports[0].device: engine epoll receives through the kernel's sockets and takes no device; "
        "remove it, or use engine: dpdk"
    ]


def test_a_number_of_queues_is_refused_with_sockets() -> None:
    load(SOCKETS.format("epoll") + "    queues: auto\n")
    assert errors(SOCKETS.format("epoll") + "    queues: 2\n") == [
        "gate.yaml:5: ports[0].queues: engine epoll gives every worker sockets of its own; "
        "remove it and list workers.cpus, or use engine: dpdk"
    ]


def test_a_key_that_is_to_go_is_not_told_how_it_should_be() -> None:
    text = SOCKETS.format("epoll") + "    rx_descriptors: many\n    device: eth0\n"
    assert [line.partition(": engine")[0] for line in errors(text)] == [
        "gate.yaml:5: ports[0].rx_descriptors",
        "gate.yaml:6: ports[0].device",
    ]


@pytest.mark.parametrize("setting", ["memory_mib: 512", "file_prefix: a", "in_memory: true"])
def test_a_setting_of_dpdk_is_refused_with_sockets(setting: str) -> None:
    key = setting.partition(":")[0]
    assert errors(SOCKETS.format("io_uring") + f"eal:\n  huge_pages: auto\n  {setting}\n") == [
        f"gate.yaml:7: eal.{key}: engine io_uring runs without DPDK, whose setting this is; remove it, or use engine: dpdk"
    ]


@pytest.mark.parametrize("setting", ["reply_pps: 1000", "reply_burst: 1"])
def test_a_setting_of_the_answers_that_the_kernel_gives_is_refused_with_sockets(setting: str) -> None:
    key = setting.partition(":")[0]
    assert errors(SOCKETS.format("epoll") + f"host: {{{setting}}}\n") == [
        f"gate.yaml:5: host.{key}: with engine epoll the kernel answers ARP, neighbour discovery and ping; "
        "remove it, or use engine: dpdk"
    ]


@pytest.mark.parametrize("address", ["fe80::1/64", "febf::1/10"])
def test_a_link_local_address_is_refused_with_sockets(address: str) -> None:
    load(DPDK.replace("10.0.0.1/24", address))
    load(SOCKETS.format("epoll").replace("127.0.0.1/8", "169.254.0.1/16"))
    assert errors(SOCKETS.format("epoll").replace("::1/128", address)) == [
        f"gate.yaml:4: ports[0].address[1]: {address.partition('/')[0]} is a link-local address, which engine epoll "
        "cannot open without an interface; use a global or unique local one such as fd00::1/64, or use engine: dpdk"
    ]


@pytest.mark.parametrize("address", ["127.0.0.1/8", "::1/128"])
def test_a_loopback_address_is_refused_with_devices(address: str) -> None:
    assert errors(DPDK.replace("10.0.0.1/24", f'"{address}"')) == [
        f'gate.yaml:4: ports[0].address[0]: found "{address}", a loopback address; '
        "a port needs a unicast address of its own"
    ]


@pytest.mark.parametrize("setting", ["receive_buffer_kib: 64", "send_buffer_kib: 4097", "zero_copy_bytes: 1"])
def test_a_setting_of_sockets_is_refused_with_devices(setting: str) -> None:
    key = setting.partition(":")[0]
    load(DPDK + "sockets: {receive_buffer_kib: 4096, send_buffer_kib: 4096, zero_copy_bytes: 0}\n")
    assert errors(DPDK + f"sockets: {{{setting}}}\n") == [
        f"gate.yaml:5: sockets.{key}: engine dpdk receives from devices and opens no socket; "
        "remove it, or use engine: io_uring or epoll"
    ]


def test_zero_copy_is_only_of_io_uring() -> None:
    section = "sockets: {zero_copy_bytes: 1472}\n"
    assert load(SOCKETS.format("io_uring") + section).sockets.zero_copy_bytes == 1472
    assert errors(SOCKETS.format("epoll") + section) == [
        "gate.yaml:5: sockets.zero_copy_bytes: engine epoll sends every answer as a copy; "
        "remove it, or use engine: io_uring"
    ]


def test_huge_pages_are_only_of_io_uring() -> None:
    section = "eal: {huge_pages: true}\n"
    assert load(SOCKETS.format("io_uring") + section).eal.huge_pages is True
    assert load(SOCKETS.format("epoll") + "eal: {huge_pages: auto}\n").eal.huge_pages == "auto"
    assert errors(SOCKETS.format("epoll") + section) == [
        "gate.yaml:5: eal.huge_pages: engine epoll has no packet buffers to put in huge pages; "
        "remove it, or use engine: io_uring"
    ]


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("zero_copy_bytes: 1473", "found 1473, allowed: a whole number from 0 to 1472"),
        ("receive_buffer_kib: 15", "found 15, allowed: a whole number from 16 to 524288"),
        ("send_buffer_kib: 524289", "found 524289, allowed: a whole number from 16 to 524288"),
    ],
)
def test_a_size_out_of_its_range_is_refused(setting: str, allowed: str) -> None:
    key = setting.partition(":")[0]
    text = SOCKETS.format("io_uring") + f"sockets: {{{setting}}}\n"
    assert errors(text) == [f"gate.yaml:5: sockets.{key}: {allowed}"]


def sockets(addresses: int, listeners: int) -> str:
    ports = "".join(
        f"  - {{name: p{at}, address: [{', '.join(f'10.0.{at}.{n}/24' for n in range(1, 9))}]}}\n"
        for at in range(addresses // 8)
    )
    listen = "".join(f"  - port: {8080 + at}\n" for at in range(listeners))
    return f"engine: epoll\nports:\n{ports}listen:\n{listen}"


def test_more_sockets_than_a_worker_has_room_for_are_refused() -> None:
    load(sockets(8, 8))
    load(sockets(64, 1))
    assert errors(sockets(8, 9)) == [
        "gate.yaml:2: ports: 8 addresses with 9 UDP ports each are 72 sockets for every worker of engine epoll, "
        "which can have 64; remove addresses or UDP ports"
    ]


def test_what_does_not_suit_the_engine_stands_beside_all_other_errors() -> None:
    text = SOCKETS.format("epoll").replace("game0", "Game0") + "    mac: 02:00:00:00:00:02\nlisten: []\n"
    assert [line.partition(": ")[0] for line in errors(text)] == ["gate.yaml:3", "gate.yaml:5", "gate.yaml:6"]


def test_what_does_not_suit_the_engine_is_refused_in_a_configuration_made_in_code() -> None:
    port = {"name": "game0", "address": ["10.0.0.1/24"]}
    with pytest.raises(ValueError, match=r"ports\.0\.device: missing; write a PCI address"):
        Config.model_validate({"ports": [port]})
    with pytest.raises(ValueError, match=r"ports\.0\.promiscuous: engine epoll receives"):
        Config.model_validate({"engine": "epoll", "ports": [port | {"promiscuous": False}]})


def test_what_was_written_survives_a_round_trip() -> None:
    config = load(SOCKETS.format("io_uring") + "sockets: {zero_copy_bytes: 900}\n")
    assert Config.model_validate(config.model_dump(mode="json", exclude_unset=True)) == config
