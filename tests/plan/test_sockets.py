# SPDX-License-Identifier: BSD-3-Clause
"""What the planner decides for the engines that use the kernel's sockets, and what it refuses."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pyshim._native import encode
from pyshim._native._pollgate import lib
from pyshim._native.decode import text
from pyshim.config import Config
from pyshim.errors import ExitCode, PlanError
from pyshim.host import HostFacts, HugePages, Privileges, SocketLimits, gather
from pyshim.plan import Plan, QueueRef, SocketPlan
from pyshim.planner import plan
from pyshim.views.plan_text import render_plan, sockets_per_worker
from tests.host.tree import Tree
from tests.plan.builders import make_config, make_cpus, make_host, make_memory, make_socket_config

UNPRIVILEGED = Privileges(False, False, False)
PAGE = 2 << 20


def refused(config: Config, host: HostFacts) -> tuple[str, ExitCode]:
    with pytest.raises(PlanError) as caught:
        plan(config, host)
    return "\n".join(caught.value.problems), caught.value.exit_code


def printed(decided: Plan) -> str:
    out = StringIO()
    Console(file=out, width=200).print(render_plan(decided))
    return out.getvalue()


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_all_cpus_but_one_serve_every_port_with_their_own_queue(engine: str) -> None:
    config = make_socket_config(engine, ["127.0.0.1/8"], ["10.0.0.1/24"])
    result = plan(config, make_host(config, make_cpus(4)))
    assert (result.engine, result.control_cpus) == (engine, (0,))
    assert [(worker.lcore, worker.cpu) for worker in result.workers] == [(1, 1), (2, 2), (3, 3)]
    assert [worker.queues for worker in result.workers] == [
        (QueueRef(0, k), QueueRef(1, k)) for k in range(3)
    ]
    assert result.workers[0].why == "free; serves game0, game1"


def test_one_cpu_is_shared_and_a_note_says_so() -> None:
    config = make_socket_config()
    result = plan(config, make_host(config, make_cpus(1)))
    assert (result.control_cpus, [worker.cpu for worker in result.workers]) == ((0,), [0])
    assert "shares it with the control side" in result.notes[0]


def test_listed_cpus_work_in_their_order() -> None:
    config = make_socket_config(workers={"cpus": [3, 1]})
    result = plan(config, make_host(config, make_cpus(4)))
    assert ([worker.cpu for worker in result.workers], result.control_cpus) == ([3, 1], (0, 2))


def test_a_large_host_has_no_more_workers_than_the_data_plane_takes() -> None:
    config = make_socket_config()
    assert len(plan(config, make_host(config, make_cpus(64))).workers) == 32


def test_there_is_nothing_of_dpdk_in_it() -> None:
    config = make_socket_config()
    result = plan(config, make_host(config))
    assert (result.eal_args, result.pools, result.huge_pages) == ((), (), False)
    assert [(port.device, port.vdev_args, port.queues) for port in result.ports] == [("", None, 7)]


def test_buffers_are_in_bytes() -> None:
    sizes = {"receive_buffer_kib": 64, "send_buffer_kib": 32, "zero_copy_bytes": 900, "coalesce_us": 50}
    config = make_socket_config("io_uring", sockets=sizes)
    assert plan(config, make_host(config)).sockets == SocketPlan(65_536, 32_768, 900, "ordinary", 50)


def test_a_cpu_outside_the_cpuset_is_refused() -> None:
    config = make_socket_config(workers={"cpus": [9]})
    assert refused(config, make_host(config, make_cpus(4))) == (
        "workers.cpus: CPU 9 is outside this process's cpuset (0-3)",
        ExitCode.UNAVAILABLE,
    )


def test_buffers_that_the_kernel_does_not_grant_are_told_with_the_sysctl() -> None:
    config = make_socket_config(sockets={"send_buffer_kib": 208})
    limits = SocketLimits(receive_bytes=212_992, send_bytes=212_992)
    host = make_host(config, privileges=UNPRIVILEGED, socket_limits=limits)
    assert plan(config, host).notes == (
        "sockets.receive_buffer_kib is 4096, the kernel will grant this process 208; "
        "for all of it run: sysctl -w net.core.rmem_max=4194304",
    )


def test_answers_that_wait_in_less_than_asked_are_told_too() -> None:
    config = make_socket_config(sockets={"receive_buffer_kib": 16})
    host = make_host(config, privileges=UNPRIVILEGED, socket_limits=SocketLimits(212_992, 212_992))
    (note,) = plan(config, host).notes
    assert note.startswith("sockets.send_buffer_kib is 4096, the kernel will grant this process 208; ")
    assert note.endswith("sysctl -w net.core.wmem_max=4194304")


def test_locked_memory_that_answers_without_a_copy_lack_is_told_with_the_limit_to_set() -> None:
    config = make_socket_config("io_uring", sockets={"zero_copy_bytes": 900}, workers={"cpus": [1, 2]})
    host = make_host(
        config, privileges=Privileges(True, True, False), memory=make_memory(memlock_bytes=8 << 20)
    )
    assert plan(config, host).notes == (
        "sockets.zero_copy_bytes: answers without a copy take up to 18432 KiB of locked memory, this "
        "process may lock 8192; what is above that leaves as a copy, later than if copied at once: set "
        "ulimit -l 18432 (systemd: LimitMEMLOCK=), or zero_copy_bytes: 0",
    )


def test_what_answers_without_a_copy_lack_counts_beside_the_rings() -> None:
    config = make_socket_config("io_uring", sockets={"zero_copy_bytes": 900}, workers={"cpus": [1, 2]})
    facts = {"privileges": Privileges(True, True, False), "rings_are_locked": True}
    enough = make_memory(memlock_bytes=18632 << 10)
    assert plan(config, make_host(config, memory=enough, **facts)).notes == ()
    (note,) = plan(config, make_host(config, memory=make_memory(memlock_bytes=18631 << 10), **facts)).notes
    assert "up to 18432 KiB of locked memory and rings 200" in note
    assert "set ulimit -l 18632 " in note


def test_rings_that_may_not_be_locked_are_refused_with_the_limit_to_set() -> None:
    config = make_socket_config("io_uring", workers={"cpus": [1, 2, 3]})
    little = make_memory(memlock_bytes=299 << 10)
    assert refused(config, make_host(config, memory=little, rings_are_locked=True)) == (
        "engine: 300 KiB of locked memory are needed (100 for the rings of each worker), and all processes "
        "of this user together may lock 299; set ulimit -l 300 or unlimited (systemd: LimitMEMLOCK=infinity; "
        "container: --ulimit memlock), grant CAP_IPC_LOCK, or use engine: epoll",
        ExitCode.UNAVAILABLE,
    )


@pytest.mark.parametrize(("memlock_bytes", "rings_are_locked"), [(300 << 10, True), (None, True), (0, False)])
def test_rings_that_may_be_locked_or_need_not_be_are_no_matter(
    memlock_bytes: int | None, rings_are_locked: bool
) -> None:
    config = make_socket_config("io_uring", workers={"cpus": [1, 2, 3]})
    memory = make_memory(memlock_bytes=memlock_bytes)
    plan(config, make_host(config, memory=memory, rings_are_locked=rings_are_locked))


@pytest.mark.parametrize(
    ("bytes_", "facts"),
    [
        (0, {"privileges": UNPRIVILEGED, "memory": make_memory(memlock_bytes=0)}),
        (900, {"memory": make_memory(memlock_bytes=0)}),
        (900, {"privileges": Privileges(True, True, False), "memory": make_memory()}),
        (900, {"privileges": Privileges(True, True, False), "memory": make_memory(memlock_bytes=9 << 20)}),
    ],
    ids=["copies all", "may lock anything", "has no limit", "has enough"],
)
def test_a_process_that_may_lock_its_answers_is_told_nothing(bytes_: int, facts: dict[str, Any]) -> None:
    sockets = {"zero_copy_bytes": bytes_, "receive_buffer_kib": 16, "send_buffer_kib": 16}
    config = make_socket_config("io_uring", sockets=sockets, workers={"cpus": [1]})
    limits = SocketLimits(4 << 20, 4 << 20)
    notes = plan(config, make_host(config, socket_limits=limits, **facts)).notes
    assert not [note for note in notes if "locked" in note]


@pytest.mark.parametrize(
    "facts",
    [
        {"privileges": Privileges(False, True, False), "socket_limits": SocketLimits(4096, 4096)},
        {"privileges": UNPRIVILEGED, "socket_limits": SocketLimits(4 << 20, 4 << 20)},
        {"privileges": UNPRIVILEGED, "socket_limits": SocketLimits(None, None)},
    ],
    ids=["may exceed them", "has enough", "cannot see them"],
)
def test_a_process_that_gets_its_buffers_is_told_nothing(facts: dict[str, object]) -> None:
    config = make_socket_config()
    assert plan(config, make_host(config, **facts)).notes == ()


def test_a_described_host_without_privileges_is_planned_from_its_files(tmp_path: Path) -> None:
    tree = Tree(tmp_path, cpus="0-3", capabilities=0)
    tree.write("proc/sys/net/core/rmem_max", "212992\n")
    tree.write("proc/sys/net/core/wmem_max", "4194304\n")
    config = make_socket_config()
    result = plan(config, gather(config, root=tmp_path))
    assert [worker.cpu for worker in result.workers] == [1, 2, 3]
    assert [note.partition(" is ")[0] for note in result.notes] == ["sockets.receive_buffer_kib"]


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_ordinary_pages_need_nothing(engine: str) -> None:
    config = make_socket_config(engine)
    assert plan(config, make_host(config)).sockets.pages == "ordinary"


@pytest.mark.parametrize(("free", "told"), [(7, False), (6, True)])
def test_automatic_huge_pages_are_left_to_the_worker_and_a_lack_is_told(free: int, told: bool) -> None:
    config = make_socket_config("io_uring", eal={"huge_pages": "auto"})
    result = plan(config, make_host(config, memory=make_memory(HugePages(0, PAGE, 20, free))))
    assert result.sockets.pages == "huge_if_free"
    lack = "node 0 has 6 free 2 MB pages, 14 MiB needed; run: sysctl -w vm.nr_hugepages=21"
    assert result.notes == ((f"Ordinary pages are used: {lack}.",) if told else ())


def test_automatic_huge_pages_mean_nothing_to_epoll() -> None:
    config = make_socket_config("epoll", eal={"huge_pages": "auto"})
    result = plan(config, make_host(config))
    assert (result.sockets.pages, result.notes) == ("ordinary", ())


def test_huge_pages_that_are_free_on_each_workers_node_are_taken() -> None:
    config = make_socket_config("io_uring", eal={"huge_pages": True}, workers={"cpus": [1, 4, 5]})
    memory = make_memory(HugePages(0, PAGE, 1, 1), HugePages(1, PAGE, 2, 2))
    result = plan(config, make_host(config, make_cpus(8, nodes=2), memory=memory))
    assert (result.sockets.pages, result.notes) == ("huge", ())


def test_too_few_huge_pages_on_a_workers_node_are_refused() -> None:
    config = make_socket_config("io_uring", eal={"huge_pages": True}, workers={"cpus": [1, 4, 5]})
    memory = make_memory(HugePages(0, PAGE, 9, 9), HugePages(1, PAGE, 4, 1))
    assert refused(config, make_host(config, make_cpus(8, nodes=2), memory=memory)) == (
        "eal.huge_pages: node 1 has 1 free 2 MB pages, 4 MiB needed; run: "
        "echo 5 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages, "
        "or set huge_pages: false",
        ExitCode.UNAVAILABLE,
    )


def test_huge_pages_of_another_size_do_not_count() -> None:
    config = make_socket_config("io_uring", eal={"huge_pages": True}, workers={"cpus": [1]})
    memory = make_memory(HugePages(0, PAGE, 0, 0), HugePages(0, 1 << 30, 4, 4))
    text, _ = refused(config, make_host(config, memory=memory))
    assert text.startswith("eal.huge_pages: node 0 has 0 free 2 MB pages, 2 MiB needed")


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_the_printed_plan_names_every_part_and_nothing_of_dpdk(engine: str) -> None:
    listen = [{"port": 8080}, {"port": 8081}]
    config = make_socket_config(engine, ["127.0.0.1/8", "::1/128"], ["10.0.0.1/24"], listen=listen)
    result = plan(config, make_host(config, make_cpus(4)))
    assert sockets_per_worker(result) == 6
    text = printed(result)
    for part in (
        engine,
        "sockets per worker",
        "4096 KiB",
        "game1",
        "127.0.0.1/8",
        "::1/128",
        "8081",
        "control",
    ):
        assert part in text
    for part in ("DPDK", "lcore", "pool", "descriptors", "queue"):
        assert part not in text
    assert ("packet buffers" in text) == (engine == "io_uring")
    assert f"up to {2 * 6 * 3 * 8}" in text  # twice what 6 sockets of 3 workers ask for, 8 MiB each


def test_zero_copy_is_printed_with_its_bound() -> None:
    config = make_socket_config("io_uring", sockets={"zero_copy_bytes": 900})
    assert "answers from 900 bytes" in printed(plan(config, make_host(config)))


@pytest.mark.parametrize(
    ("huge_pages", "engine", "pages"),
    [
        (False, "epoll", lib.PG_PAGES_ORDINARY),
        ("auto", "io_uring", lib.PG_PAGES_HUGE_IF_FREE),
        (True, "io_uring", lib.PG_PAGES_HUGE),
    ],
)
def test_the_data_plane_is_given_what_was_planned(huge_pages: bool | str, engine: str, pages: int) -> None:
    config = make_socket_config(engine, eal={"huge_pages": huge_pages}, sockets={"send_buffer_kib": 32})
    host = make_host(config, make_cpus(4), memory=make_memory(HugePages(0, PAGE, 9, 9)))
    native = encode.plan_struct(plan(config, host))
    assert text(lib.pg_engine_name(native.engine)) == engine
    assert [native.worker[at].cpu for at in range(native.worker_count)] == [1, 2, 3]
    sockets = native.sockets
    assert (sockets.receive_buffer_bytes, sockets.send_buffer_bytes) == (4 << 20, 32 << 10)
    assert (sockets.zero_copy_bytes, sockets.pages, native.pool_count) == (0, pages, 0)
    assert (native.port[0].queues, bytes(native.port[0].address[0].bytes)[:4]) == (3, bytes([127, 0, 0, 1]))


def test_the_data_plane_is_told_that_devices_are_dpdks() -> None:
    config = make_config("net_null0", workers={"cpus": [2]})
    native = encode.plan_struct(plan(config, make_host(config)))
    assert (text(lib.pg_engine_name(native.engine)), native.worker[0].cpu) == ("dpdk", 2)
