# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every plan, whatever the configuration and the host."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.config import Config
from pyshim.errors import PlanError
from pyshim.host import Cpu, HostFacts, HugePages
from pyshim.plan import plan_from_json, plan_to_json
from pyshim.planner import plan
from tests.plan.builders import make_config, make_host, make_memory, make_socket_config

KINDS = ["null", "pcap", "packet", "tap", "memif", "ring", "pci", "xdp", "bonding"]


def device(kind: str, index: int, count: int, outputs: int) -> str:
    return {
        "null": f"net_null{index}",
        "pcap": f"net_pcap{index}" + ",rx_pcap=a.pcap" * count + ",tx_pcap=o.pcap" * outputs,
        "packet": f"net_af_packet{index},iface=eth0,qpairs={count}",
        "tap": f"net_tap{index}",
        "memif": f"net_memif{index}",
        "ring": f"net_ring{index}",
        "pci": f"0000:0{index}:00.0",
        "xdp": f"net_af_xdp{index},iface=eth0,queue_count={count}",
        "bonding": f"net_bonding{index},mode=1",
    }[kind]


@st.composite
def hosts(draw: st.DrawFn, config: Config, cpus: tuple[Cpu, ...]) -> HostFacts:
    huge = [HugePages(node, 2 << 20, 40_000, draw(st.sampled_from([0, 300, 40_000]))) for node in range(3)]
    host = make_host(config, cpus, memory=make_memory(*huge))
    return replace(host, pci=tuple(replace(found, node=draw(st.integers(-1, 2))) for found in host.pci))


@st.composite
def cpu_sets(draw: st.DrawFn) -> tuple[Cpu, ...]:
    numbers = draw(st.sets(st.integers(0, 63), min_size=1, max_size=40))
    return tuple(Cpu(n, draw(st.integers(0, 2)), draw(st.booleans())) for n in sorted(numbers))


@st.composite
def feasible(draw: st.DrawFn) -> tuple[Config, HostFacts]:
    """A configuration that its host can carry out."""
    ports: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 4))):
        kind, count = draw(st.sampled_from(KINDS)), draw(st.integers(1, 4))
        flexible = kind in ("null", "memif", "tap", "pci")
        ports.append(
            {
                "device": device(kind, index, count, draw(st.sampled_from([0, count]))),
                "queues": draw(st.sampled_from(["auto", count] if flexible else ["auto"])),
                "rx_descriptors": draw(st.integers(64, 8192)),
            }
        )
    cpus = draw(cpu_sets())
    config = make_config(
        *ports,
        eal={
            "memory_mib": 1 << 20,
            "huge_pages": draw(st.sampled_from([False, "auto"])),
            "in_memory": draw(st.booleans()),
        },
        workers={"cpus": draw(st.sampled_from(["auto", [draw(st.sampled_from(cpus)).cpu]]))},
    )
    return config, draw(hosts(config, cpus))


@st.composite
def with_sockets(draw: st.DrawFn) -> tuple[Config, HostFacts]:
    """A configuration of an engine that uses sockets; its host can carry it out."""
    engine = draw(st.sampled_from(["epoll", "io_uring"]))
    ports = [[f"10.{index}.0.1/24", f"fd00:{index}::1/64"] for index in range(draw(st.integers(1, 8)))]
    cpus = draw(cpu_sets())
    listed = st.lists(st.sampled_from([cpu.cpu for cpu in cpus]), min_size=1, max_size=32, unique=True)
    config = make_socket_config(
        engine,
        *ports,
        eal={"huge_pages": draw(st.sampled_from([False, "auto"]))},
        workers={"cpus": draw(st.one_of(st.just("auto"), listed))},
        listen=[{"port": 8080 + index} for index in range(draw(st.integers(1, 4)))],
        sockets={"receive_buffer_kib": draw(st.integers(16, 524_288))},
    )
    return config, draw(hosts(config, cpus))


@st.composite
def anything(draw: st.DrawFn) -> tuple[Config, HostFacts]:
    """A configuration that is well formed, and a host that may not be up to it."""
    ports: list[dict[str, Any]] = [
        {
            "device": device(
                draw(st.sampled_from(KINDS)), index, draw(st.integers(0, 20)), draw(st.integers(0, 2))
            ),
            "queues": draw(st.one_of(st.just("auto"), st.integers(1, 64))),
        }
        for index in range(draw(st.integers(1, 8)))
    ]
    listed = st.lists(st.integers(0, 63), min_size=1, max_size=32, unique=True)
    config = make_config(
        *ports,
        eal={
            "memory_mib": draw(st.sampled_from([64, 512, 65_536])),
            "huge_pages": draw(st.sampled_from([True, False, "auto"])),
        },
        workers={"cpus": draw(st.one_of(st.just("auto"), listed))},
        sessions={"capacity": draw(st.integers(1, 1 << 24))},
    )
    return config, draw(hosts(config, draw(cpu_sets())))


@given(with_sockets())
def test_worker_k_has_queue_k_of_every_port_of_sockets(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    for index, worker in enumerate(result.workers):
        assert [(ref.port, ref.queue) for ref in worker.queues] == [
            (port, index) for port in range(len(result.ports))
        ]
        assert worker.lcore == index + 1


@given(with_sockets())
def test_a_plan_for_sockets_has_nothing_of_dpdk(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    assert (result.eal_args, result.pools, result.huge_pages) == ((), (), False)
    assert all(not port.device and port.vdev_args is None and port.mac is None for port in result.ports)


@given(anything())
def test_a_host_that_is_not_up_to_it_is_told_in_lines_that_name_their_key(
    situation: tuple[Config, HostFacts],
) -> None:
    try:
        result = plan(*situation)
    except PlanError as error:
        lines = error.problems
    else:
        lines = ()
        assert result.workers
    assert all(re.match(r"(ports\[\d\]|eal|workers)\.\w+: \S", line) for line in lines)


@given(feasible() | with_sockets())
def test_every_queue_of_every_port_is_served_exactly_once(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    served = Counter((ref.port, ref.queue) for worker in result.workers for ref in worker.queues)
    assert served == Counter(
        (index, queue) for index, port in enumerate(result.ports) for queue in range(port.queues)
    )


@given(feasible() | with_sockets())
def test_every_worker_has_its_own_cpu_and_at_least_one_queue(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    assert len({worker.cpu for worker in result.workers}) == len(result.workers)
    assert all(0 < len(worker.queues) <= 16 for worker in result.workers)
    assert 0 < len(result.workers) <= 32


@given(feasible() | with_sockets())
def test_control_and_workers_share_no_cpu_where_there_is_a_choice(
    situation: tuple[Config, HostFacts],
) -> None:
    result = plan(*situation)
    allowed = {cpu.cpu for cpu in situation[1].cpus}
    workers = {worker.cpu for worker in result.workers}
    assert result.control_cpus
    assert workers | set(result.control_cpus) <= allowed
    if workers < allowed:
        assert not workers & set(result.control_cpus)
    else:
        assert result.notes


@given(feasible())
def test_a_pool_is_never_smaller_than_what_can_be_held_at_once(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    for index, pool in enumerate(result.pools):
        ports = {number for number, port in enumerate(result.ports) if port.pool == index}
        rings = sum(
            result.ports[p].queues * (result.ports[p].rx_descriptors + result.ports[p].tx_descriptors)
            for p in ports
        )
        users = sum(any(ref.port in ports for ref in worker.queues) for worker in result.workers)
        assert pool.mbufs > rings + users * (pool.cache * 1.5 + 128)
        assert pool.cache <= 512
        assert pool.cache * 1.5 < pool.mbufs
    assert {port.pool for port in result.ports} == set(range(len(result.pools)))


@given(feasible() | with_sockets())
def test_the_same_inputs_give_the_same_plan(situation: tuple[Config, HostFacts]) -> None:
    config, host = situation
    assert plan(config, host) == plan(config.model_copy(deep=True), host)


@given(feasible() | with_sockets())
def test_a_plan_survives_its_journey_as_json(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    assert plan_from_json(plan_to_json(result)) == result


def test_json_of_another_version_is_refused_with_the_place() -> None:
    config = make_config("net_null0")
    text = plan_to_json(plan(config, make_host(config)))
    with pytest.raises(ValueError, match=r"plan.ports\[0\]: not a PortPlan of this version"):
        plan_from_json(text.replace('"promiscuous"', '"promiscuity"'))
    with pytest.raises(ValueError, match=r"plan.session_capacity: '65536' is not int"):
        plan_from_json(text.replace('"session_capacity":65536', '"session_capacity":"65536"'))


@given(feasible())
def test_every_device_and_no_other_is_named_to_dpdk(situation: tuple[Config, HostFacts]) -> None:
    result = plan(*situation)
    args = result.eal_args
    vdevs = [args[i + 1] for i, arg in enumerate(args) if arg == "--vdev"]
    assert vdevs == [port.vdev_args for port in result.ports if port.vdev_args]
    allowed = [args[i + 1] for i, arg in enumerate(args) if arg == "-a"]
    assert allowed == [port.device for port in result.ports if not port.vdev_args]
    assert ("--no-pci" in args) == (not allowed)
    assert not ("--no-huge" in args and "--in-memory" in args)
