# SPDX-License-Identifier: BSD-3-Clause
"""What can be played is understood as it is written; what cannot is refused with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from pyshim.errors import UnavailableError, UsageError
from pyshim.host import gather
from pyshim.load.messages import Open
from pyshim.load.planning import check_cpu, device_plan, in_options, opening
from pyshim.load.run import paced_rounds
from pyshim.load.scenario import (
    LADDER,
    Crowd,
    Device,
    Sockets,
    Step,
    Target,
    Trial,
    parse_mix,
    parse_steps,
)

TARGET = Target(ip_address("10.0.0.1"), 8080)
TARGET6 = Target(ip_address("fd00::1"), 8080)
OWN = (ip_interface("10.0.0.2/24"),)
MEMIF = "net_memif0,role=client,socket-abstract=no,socket=/nowhere/memif.sock"


def test_the_ladder_is_the_one_that_is_published() -> None:
    assert ",".join(map(str, LADDER)) == "100x10,500x20,1000x30,2000x50,5000x60"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("100x10", (Step(100, 10),)),
        ("100x10,500x20", (Step(100, 10), Step(500, 20))),
        (" 1 x 0.5 , 2×60", (Step(1, 0.5), Step(2, 60))),
    ],
)
def test_steps_are_players_times_rate(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_steps(text) == steps


@pytest.mark.parametrize("text", ["", "100", "100x", "x10", "100x10,", "100x-1", "axb", "1x1e9", "10:5"])
def test_what_is_no_list_of_steps_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="such as 100x10,500x20"):
        parse_steps(text)


@pytest.mark.parametrize("text", ["0x10", "10x0", "2000000x1", "1000000x100000"])
def test_steps_that_nobody_can_play_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="allowed: "):
        parse_steps(text)


def test_a_mix_names_the_types_that_are_sent() -> None:
    crowd = Crowd(1, mix=parse_mix("move=90, heartbeat = 5,chat=5"))
    assert opening(crowd, TARGET, Sockets()).weights == (90, 0, 5, 5, 0, 0)
    assert opening(Crowd(1), TARGET, Sockets()).weights == (85, 5, 3, 5, 2, 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("move", "allowed: TYPE=WEIGHT"),
        ("move=", "allowed: TYPE=WEIGHT"),
        ("move=-1", "allowed: TYPE=WEIGHT"),
        ("move=1,", "allowed: TYPE=WEIGHT"),
        ("fly=1", "the types are move, attack, chat, heartbeat, skill"),
        ("move=1,move=2", "move is there twice"),
        ("move=0,chat=0", "every weight is 0"),
        ("move=65536", "allowed: 0 to 65,535"),
    ],
)
def test_what_is_no_mix_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Crowd(1, mix=parse_mix(text))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Crowd(0), "--players: found 0, allowed: 1 to 1,048,576"),
        (lambda: Crowd(1, chat_bytes=513), "--chat-bytes: found 513, allowed: 1 to 512"),
        (lambda: Crowd(1, game_bytes=459), "--game-bytes: found 459, allowed: 0 to 458"),
        (lambda: Crowd(1, game_type=63), "--game-type: found 63, allowed: 64 to 199"),
        (lambda: Crowd(1, arena_m=float("nan")), "--arena: found nan"),
        (lambda: Crowd(1, motion="fly"), '--motion: found "fly", allowed: waypoint or crowd'),  # type: ignore
        (lambda: Crowd(2, first_player_id=2**32 - 1), "--first-player-id: found"),
        (lambda: Crowd(1, seed=-1), "--seed: found -1"),
        (lambda: Target(ip_address("224.0.0.1"), 8080), "not the address of one host"),
        (lambda: Target(ip_address("::"), 8080), "not the address of one host"),
        (lambda: Target(ip_address("255.255.255.255"), 8080), "not the address of one host"),
        (lambda: Target(ip_address("fe80::1%eth0"), 8080), "has a zone"),
        (lambda: Target(ip_address("10.0.0.1"), 8080, "01:00:00:00:00:01"), "--target-mac: .*multicast"),
        (lambda: Device("eth0", OWN), '--device: found "eth0", a kernel interface'),
        (lambda: Device("net_null0", ()), "--device needs --address"),
        (lambda: Device("net_null0", OWN, memory_mib=1), "--memory: found 1, allowed: 64"),
        (lambda: Device("net_null0", OWN, mac="x"), "--mac: found"),
        (lambda: Sockets((ip_address("10.0.0.2"),) * 2), "given twice"),
        (lambda: Sockets(tuple(ip_address(f"10.0.0.{i}") for i in range(9))), "a generator takes 8"),
        (lambda: Trial(1, 1.0), "0 messages per second is no load"),
        (lambda: Trial(1, 0.0, 10.0), "--seconds: found 0.0"),
        (lambda: Trial(1, 1.0, 10.0, drain_s=11), "--drain: found 11, allowed: 0 to 10"),
    ],
)
def test_what_cannot_be_played_is_refused_by_the_name_of_its_option(
    make: Callable[[], Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("target", "via", "sentence"),
    [
        (TARGET6, Sockets((ip_address("10.0.0.2"),)), "not of the target's kind, IPv6"),
        (TARGET, Device("net_null0", (ip_interface("fd00::2/64"),)), "not of the target's kind, IPv4"),
        (Target(ip_address("10.1.0.1"), 1), Device("net_null0", OWN), "outside 10.0.0.0/24.*--target-mac"),
        (Target(ip_address("127.0.0.1"), 1), Device("net_null0", OWN), "this host itself"),
        (Target(ip_address("10.0.0.1"), 1, "02:00:00:00:00:01"), Sockets(), "--target-mac needs --device"),
    ],
)
def test_a_target_that_cannot_be_reached_that_way_is_refused(
    target: Target, via: Sockets | Device, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        opening(Crowd(1), target, via)


def test_more_players_than_ports_need_more_addresses() -> None:
    with pytest.raises(UsageError, match="100,000 players need 2 addresses of 64,512 ports each and 1"):
        opening(Crowd(100_000), TARGET, Device("net_null0", OWN))
    order = opening(Crowd(100_001), TARGET, Device("net_null0", (*OWN, ip_interface("10.0.0.3/24"))))
    assert order.ports_per_address == 50_001


def test_a_router_takes_what_is_for_another_network() -> None:
    target = Target(ip_address("192.0.2.1"), 8080, "02:00:00:00:00:01")
    assert opening(Crowd(1), target, Device("net_null0", OWN)).target_mac == "02:00:00:00:00:01"


def test_a_ramp_asks_for_half_of_what_its_last_rate_would() -> None:
    ramp = Step(10, 100).ramp(4.0)
    assert (ramp.rate_pps, ramp.end_rate_pps) == (0, 1000)
    assert [ramp.asked(s) for s in (0, 2, 4, 5)] == [0, 500, 2000, 2000]


def test_a_ramp_goes_before_the_first_step_only() -> None:
    rounds = paced_rounds((Step(1, 10), Step(2, 20)), 5.0, 1.5, 0.25)
    assert [(str(each), each.ramp, each.trial.seconds) for each in rounds] == [
        ("ramp 1×10", True, 1.5),
        ("1×10", False, 5.0),
        ("2×20", False, 5.0),
    ]


def test_a_step_that_ends_before_its_first_message_is_refused() -> None:
    with pytest.raises(UsageError, match=r"1x0\.1 for 2 s comes to less than one message"):
        paced_rounds((Step(1, 0.1),), 2.0, 0.0, 0.5)


# ---------------------------------------------------------------- what this host must have


def order(device: str = "net_null0", **changes: Any) -> Open:
    return opening(Crowd(10), TARGET, Device(device, OWN, **changes))


def test_a_device_is_planned_with_one_queue_one_pool_and_one_lcore() -> None:
    plan = device_plan(order(cpu=0), gather)
    assert plan.eal_args[:4] == ("--lcores", "0@0", "--main-lcore", "0")
    assert {"--no-huge", "--no-shconf", "--no-pci", "--no-telemetry"} <= set(plan.eal_args)
    assert plan.eal_args[plan.eal_args.index("-m") + 1] == "256"
    assert plan.eal_args[plan.eal_args.index("--vdev") + 1] == "net_null0"
    assert (len(plan.ports), plan.ports[0].queues, len(plan.pools)) == (1, 1, 1)


def test_without_a_cpu_the_lcore_may_move_over_all_of_them() -> None:
    cpus = ",".join(str(cpu.cpu) for cpu in gather_cpus())
    assert device_plan(order(), gather).eal_args[1] == f"0@({cpus})"


def gather_cpus() -> Any:
    from pyshim.host import gather_cpus as of_host  # noqa: PLC0415 - the name is taken here

    return of_host()


def test_what_this_host_lacks_is_said_in_the_options_words() -> None:
    with pytest.raises(UnavailableError, match=r"^--device: iface=nothere0: no such interface"):
        device_plan(order("net_af_packet0,iface=nothere0"), gather)
    with pytest.raises(UnavailableError, match=r"^--cpu: CPU 999 is outside this process's cpuset"):
        device_plan(order(cpu=999), gather)


def test_no_sentence_of_the_planner_names_a_key_that_load_does_not_have() -> None:
    assert (
        in_options("ports[0].device: x; set eal.huge_pages to false") == "--device: x; leave out --huge-pages"
    )
    assert in_options("raise eal.memory_mib") == "raise --memory"


def test_a_cpu_outside_the_cpuset_is_refused() -> None:
    check_cpu(None, [0])
    check_cpu(0, [0, 1])
    with pytest.raises(UnavailableError, match=r"--cpu: CPU 7 is outside this process's cpuset \(0-1\)"):
        check_cpu(7, [0, 1])
