# SPDX-License-Identifier: BSD-3-Clause
"""Worlds over devices whose other end is not a wire: memory that is shared with a peer, and a kernel's tap.

Their players are those of `pollgate load`, whose model judges every place that they are told and every event.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.appliance.conservation import books
from tests.appliance.test_memif import GATE4, MAC, OWN4, memif
from tests.appliance.test_tap import INTERFACE, TapGate, ended_well
from tests.appliance.test_tap import config as tap_config
from tests.engines.engines import CPUS, needs_two_cpus
from tests.gate import Gate
from tests.load.worlds import MEADOW, World
from tests.network.namespace import PLAYERS4, Namespace

PLAYERS = World(players=300, seconds=4)
CROWD = World(players=200, seconds=4)  # fewer than hear what is said to everyone near
PORT = 8080
WORLD: dict[str, Any] = {
    "listen": [{"port": PORT, "profile": "session", "world": "meadow"}],
    "worlds": [MEADOW],
    "sessions": {"capacity": 1024},
    "delivery": {"messages_pps": dict.fromkeys(("chat", "bulk", "move", "attack", "skill"), 0)},
}


def over_memif(directory: Path, **changes: Any) -> dict[str, Any]:
    port = {"name": "game0", "device": memif(directory, "server"), "address": [f"{GATE4}/24"], "mac": MAC}
    return {"eal": {"memory_mib": 128}, "ports": [port], **WORLD, **changes}


def by_memif(directory: Path, device: str = "") -> Sequence[str]:
    """How `pollgate load` reaches it; `device` is added to the device's arguments."""
    cpu = str(max(os.sched_getaffinity(0)))
    return ("--device", memif(directory, "client") + device, "--address", f"{OWN4}/24", "--cpu", cpu)


def over_tap(*, port: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return tap_config(port={"address": [f"{GATE4}/24"], **(port or {})}, **{**WORLD, **changes})


def let_players_in(namespace: Namespace) -> None:
    """Give the kernel's end of the tap an address that reaches the gate's."""
    namespace.run("ip", "address", "add", f"{PLAYERS4}/24", "dev", INTERFACE)


def test_a_world_over_shared_memory_is_seen_and_heard_as_it_should_be(tmp_path: Path) -> None:
    with Gate(over_memif(tmp_path), tmp_path) as gate:
        seen = PLAYERS.play(gate.config_path, *by_memif(tmp_path))
        assert (seen["worlds"], seen["corrections"], seen["skipped"]) == (1, 0, 0)
        assert gate.stop() == 0


def test_a_world_over_a_tap_is_seen_and_heard_as_it_should_be(namespace: Namespace, tmp_path: Path) -> None:
    with TapGate(namespace, over_tap(), tmp_path) as gate:
        let_players_in(namespace)
        seen = PLAYERS.play(gate.config_path, before=namespace.prefix)
        assert (seen["worlds"], seen["corrections"], seen["skipped"]) == (1, 0, 0)
        ended_well(gate)


@needs_two_cpus
def test_a_crowd_over_a_tap_of_two_queues_is_shown_by_both_workers(
    namespace: Namespace, tmp_path: Path
) -> None:
    """The kernel chooses queues, and so workers, which have no help with checksums."""
    port = {"queues": 2, "checksums": "software"}
    with TapGate(namespace, over_tap(port=port, workers={"cpus": CPUS[:2]}), tmp_path) as gate:
        let_players_in(namespace)
        seen = CROWD.play(gate.config_path, "--walk", "crowd", before=namespace.prefix)
        assert (seen["worlds"], seen["corrections"], seen["skipped"]) == (1, 0, 0)
        said = gate.metrics()
        connections = [said.value("pollgate_session_connections_total", worker=worker) for worker in "01"]
        assert min(connections) > 0
        assert sum(connections) == CROWD.players
        assert gate.stop() == 0, gate.stderr
        books(gate.summary)
