# SPDX-License-Identifier: BSD-3-Clause
"""What the operator is told when a device has fewer queues than planned."""

from __future__ import annotations

from dataclasses import replace

from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.run.shortfall import queue_shortfalls
from pyshim.stats import Snapshot
from tests.metrics.synthetic import snapshot
from tests.plan.builders import make_config, make_cpus, make_host, make_socket_config


def planned() -> Plan:
    """Two workers, a queue of one port each."""
    config = make_config({"device": "net_null0", "queues": 2}, workers={"cpus": [1, 2]})
    return plan(config, make_host(config, make_cpus(4)))


def found(queues: int) -> Snapshot:
    """What a device of so many queue pairs makes of it."""
    base = snapshot()
    return replace(base, ports=(replace(base.ports[0], queues=queues),))


def test_a_device_with_all_queues_is_not_mentioned() -> None:
    assert queue_shortfalls(planned(), found(2)) == ()


def test_missing_queues_and_the_worker_without_one_are_named() -> None:
    assert queue_shortfalls(planned(), found(1)) == (
        "port game0: 2 queue pairs were planned, the device offers 1 that flows can be spread over; "
        "the others are not used",
        "worker 1 on CPU 2 has no queue left to poll; list fewer CPUs in workers.cpus",
    )


def test_an_engine_that_uses_sockets_has_no_device_that_could_have_fewer() -> None:
    config = make_socket_config()
    assert queue_shortfalls(plan(config, make_host(config, make_cpus(4))), found(0)) == ()
