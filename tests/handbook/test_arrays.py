# SPDX-License-Identifier: BSD-3-Clause
"""A line of stats/counters.def may be an array in every group: no reader takes it for 0, nor fails."""

from __future__ import annotations

import json

import pytest

from tests.handbook.scratch import Edit, Scratch

LIST = "dpdk_app/stats/counters.def"
# A group, and the start of the line above which its array goes.
ARRAYS = {
    "PORT_COUNT": "PORT_COUNT(rx_packets, ",
    "DEVICE": "DEVICE(rx_missed, ",
    "DEVICE_STATE": "DEVICE_STATE(link_up, ",
    "POOL": "POOL(available, ",
    "LISTENER_COUNT": "LISTENER_COUNT(sessions, ",
    "RECEIVE": "RECEIVE(received, ",
    "MESSAGE": "MESSAGE(received, ",
}
OWNER = {"POOL": "pool", "LISTENER_COUNT": "listener", "RECEIVE": "worker", "MESSAGE": "worker"}

READ = """
import json
from pyshim.dataplane.library import ffi
from pyshim.dataplane.page import PageNames, RunState, StatsPage
from pyshim.metrics import values
with StatsPage.create(2, PageNames("dpdk", ("game0", "game1"), ("node0",), ("8080",))) as page:
    for port in (0, 1):
        page.native.port[port].array_device[2] = 10 + port
        page.native.port[port].array_device_state[2] = 20 + port
        for worker in (0, 1):
            page.native.worker[worker].port[port].array_port_count[2] = 30 + 10 * worker + port
    page.native.pool[0].array_pool[2] = 50
    for worker in (0, 1):
        page.native.worker[worker].array_receive[2] = 60 + worker
        page.native.worker[worker].messages.array_message[2] = 70 + worker
        page.native.worker[worker].listener[0].array_listener_count[2] = 80 + worker
    print(json.dumps(values(page.snapshot("dpdk", RunState()))))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, int]]]:
    """What a copy of the sources, in which each of these groups has an array, says of the third element."""
    scratch = Scratch(tmp_path_factory.mktemp("arrays"))
    for group, anchor in ARRAYS.items():
        name, owner = f"array_{group.lower()}", OWNER.get(group, "port")
        line = (
            f'{group}({name}, [PG_TX_DROPS], tx_drop, COUNTER, "{name}", "{owner}, reason", "", "Example.")\n'
        )
        scratch.edit(Edit(LIST, "above", anchor, line))
    scratch.build_core()
    found: dict[str, dict[str, dict[str, int]]] = json.loads(scratch.python("-c", READ))
    return found


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("DEVICE", {"game0": 10, "game1": 11}),
        ("DEVICE_STATE", {"game0": 20, "game1": 21}),
        ("PORT_COUNT", {"game0": 70, "game1": 72}),  # over the workers
        ("POOL", {"node0": 50}),
        ("RECEIVE", {"0": 60, "1": 61}),
        ("MESSAGE", {"0": 70, "1": 71}),
        ("LISTENER_COUNT", {"8080": 161}),
    ],
)
def test_an_array_is_told_element_by_element(
    said: dict[str, dict[str, dict[str, int]]], group: str, expected: dict[str, int]
) -> None:
    found = said[f"pollgate_array_{group.lower()}_total"]
    third = list(next(iter(found.values())))[2]
    assert {owner: elements[third] for owner, elements in found.items()} == expected
    assert all(sum(elements.values()) == elements[third] for elements in found.values())
