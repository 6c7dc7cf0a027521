# SPDX-License-Identifier: BSD-3-Clause
"""What a plan says of the game behind the gate, and what this host must have for it."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

from typing import Any

import pytest

from pyshim._native import encode
from pyshim.config import Config
from pyshim.errors import PlanError
from pyshim.host import Accounts, HugePages
from pyshim.plan import HUGE_PAGE_BYTES, KeptPages, game_file_bytes, plan_from_json, plan_to_json
from pyshim.planner import plan
from tests.plan.builders import make_config, make_host, make_memory, make_socket_config

SESSION = [{"port": 8080}, {"port": 8081, "profile": "session"}, {"port": 8082, "profile": "session"}]


def config(**game: Any) -> Config:
    section = {"listen": "unix:/run/game.sock", **game}
    return make_socket_config("epoll", listen=SESSION, game=section, workers={"cpus": [1, 2]})


def refusal(wanted: Config, **facts: Any) -> str:
    with pytest.raises(PlanError) as caught:
        plan(wanted, make_host(wanted, **facts))
    (problem,) = caught.value.details
    return str(problem)


def test_rings_that_do_not_fit_the_memory_are_refused_with_what_they_take() -> None:
    wanted = config(processes=16, ring_kib=65536)
    assert refusal(wanted, memory=make_memory(available_mib=4000)) == (
        "game.ring_kib: rings of 65536 KiB, two for each of 16 game processes and 2 workers, take 4097 MiB, 4000 MiB "
        "available; write less, or lower game.processes, or free memory"
    )
    fits = plan(wanted, make_host(wanted, memory=make_memory(available_mib=4200)))
    assert fits.game.memory_bytes(2) == 16 * 2 * 2 * game_file_bytes(64 << 20)


def test_rings_that_find_huge_pages_take_no_others() -> None:
    wanted = config(processes=16, ring_kib=65536)
    needed = 16 * 2 * 2 * 33  # the head begins another page
    for free, fits in ((needed, True), (needed - 1, False)):
        memory = make_memory(HugePages(0, HUGE_PAGE_BYTES, free, free), available_mib=4000)
        if fits:
            assert plan(wanted, make_host(wanted, memory=memory)).game.huge_pages
        else:
            assert "take 4097 MiB, 4000 MiB available" in refusal(wanted, memory=memory)
    without = config(processes=16, ring_kib=65536, huge_pages="never")
    memory = make_memory(HugePages(0, HUGE_PAGE_BYTES, needed, needed), available_mib=4000)
    assert "take 4097 MiB, 4000 MiB available" in refusal(without, memory=memory)


def test_what_workers_take_of_huge_pages_is_kept_for_them() -> None:
    memory = make_memory(HugePages(0, HUGE_PAGE_BYTES, 1000, 1000))
    wanted = config()
    assert plan(wanted, make_host(wanted, memory=memory)).game.kept == ()
    game = {"listen": "unix:/run/game.sock"}
    sockets = make_socket_config(
        "io_uring", listen=SESSION, game=game, workers={"cpus": [1, 2]}, eal={"huge_pages": "auto"}
    )
    assert plan(sockets, make_host(sockets, memory=memory)).game.kept == (KeptPages(0, 2),)
    dpdk = make_config("net_null0", listen=SESSION, game=game, eal={"huge_pages": True, "memory_mib": 101})
    made = plan(dpdk, make_host(dpdk, memory=memory))
    assert made.game.kept == (KeptPages(0, 51),)
    assert plan_from_json(plan_to_json(made)) == made


@pytest.mark.parametrize(
    ("game", "sentence"),
    [
        ({"users": ["arena", "root"]}, "game.users[0]: this host has no user arena; make one: useradd"),
        ({"owner": "arena"}, "game.owner: this host has no user arena; make one: useradd"),
        ({"group": "arena"}, "game.group: this host has no group arena; make one: groupadd"),
    ],
)
def test_accounts_that_there_are_not_are_named(game: dict[str, Any], sentence: str) -> None:
    assert refusal(config(**game), accounts=Accounts(7, {"root": 0})).startswith(sentence)


def test_unless_it_is_said_the_gateways_own_user_and_root_may_attach() -> None:
    wanted = config()
    assert plan(wanted, make_host(wanted, accounts=Accounts(7))).game.users == (0, 7)
    named = config(users=["arena"])
    assert plan(named, make_host(named, accounts=Accounts(7, {"arena": 9}))).game.users == (9,)


def test_routes_reach_the_data_plane_as_bits_and_indexes() -> None:
    wanted = config(
        routes=[{"to": ["b", "a"], "listen": [8082], "types": ["chat", "64-65"]}, {"to": "a"}],
        read_budget_us=7,
    )
    made = plan_from_json(plan_to_json(plan(wanted, make_host(wanted))))
    native = encode.plan_struct(made).policy.game
    assert (native.routes, native.read_budget_us) == (2, 7)
    first, second = native.route[0], native.route[1]
    assert first.listeners == 0b100
    assert {number for number in range(256) if first.types[number // 8] >> number % 8 & 1} == {3, 64, 65}
    assert list(first.process[0 : first.processes]) == [0, 1]
    assert second.listeners == 2**64 - 1
    assert list(second.process[0 : second.processes]) == [1]


@pytest.mark.parametrize(
    ("routes", "notes"),
    [
        ([{"to": "arena"}], []),
        (
            [],
            [
                "game.routes has no entry: no game process gets what players say; it is handled as without a game, and types 64 to 199 reach nobody"
            ],
        ),
        (
            [{"to": "arena", "types": ["attack", "skill", "64-69", 71]}],
            ["game.routes: at UDP port 8081, 8082 no route takes chat, bulk, 70,72-199; "],
        ),
        (
            [{"to": "arena", "listen": [8082]}, {"to": "lobby", "types": ["chat", "game"]}],
            ["game.routes: at UDP port 8081 no route takes attack, skill, bulk; "],
        ),
    ],
)
def test_what_no_route_takes_is_noted(routes: list[dict[str, Any]], notes: list[str]) -> None:
    wanted = config(routes=routes)
    found = [note for note in plan(wanted, make_host(wanted)).notes if note.startswith("game.")]
    assert len(found) == len(notes)
    for note, begins in zip(found, notes, strict=True):
        assert note.startswith(begins)


def test_without_a_game_nothing_is_noted_of_routes() -> None:
    wanted = make_socket_config("epoll", listen=SESSION, workers={"cpus": [1, 2]})
    assert not [note for note in plan(wanted, make_host(wanted)).notes if "game" in note]
