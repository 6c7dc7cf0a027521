# SPDX-License-Identifier: BSD-3-Clause
"""Each number of the configuration that reaches the data plane is one line of settings.def."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pyshim._native import encode
from pyshim.config import Config, DeliveryConfig, restart_needed
from pyshim.plan import plan_from_json, plan_to_json
from pyshim.planner import plan
from pyshim.settings import SETTINGS, Setting
from tests.plan.builders import make_config, make_host, make_socket_config

DEF = Path(__file__).resolve().parents[2] / "dpdk_app" / "include" / "settings.def"
STRUCTURES = {
    "PLAN": lambda plan: plan,
    "PORT": lambda plan: plan.port[0],
    "SOCKETS": lambda plan: plan.sockets,
    "SESSIONS": lambda plan: plan.policy,
    "HOST": lambda plan: plan.policy,
    "LISTENER": lambda plan: plan.policy.listener[0],
    "ISSUED": lambda plan: plan.policy.listener[0],
    "DELIVERY": lambda plan: plan.policy.delivery,
    "GAME": lambda plan: plan.policy.game,
    "WORLD": lambda plan: plan.world[0],
    "COMBAT": lambda plan: plan.world[0].combat,
}
OTHERS = {
    "sessions.capacity": 77,
    "worlds.leave_radius_m": 80.5,
    "worlds.quantum_m": 0.02,
    "worlds.budget_kbps": 100,
    "worlds.hysteresis": 2.5,
    "worlds.combat.rewind_ms": 400,
    "worlds.combat.body_radius_m": 0.5,
    "worlds.combat.reach_m": 50,
}
each = pytest.mark.parametrize("one", SETTINGS, ids=lambda one: one.key)


def configured(one: Setting, value: float) -> dict[str, Any]:
    """The sections of a configuration with profile session in which one key is written."""
    listener: dict[str, Any] = {"port": 8080, "profile": "session"}
    written: dict[str, Any] = {"listen": [listener]}
    if one.section == "listen.limits":
        listener["limits"] = {one.name: value}
    else:
        written[one.section] = {one.name: value}
    if one.group in ("WORLD", "COMBAT"):
        _, _, part = one.section.partition(".")  # a section of a world's own
        said = {part: {one.name: value}} if part else {one.name: value}
        written.pop(one.section)
        written["worlds"] = [{"name": "meadow", "bounds": [[0, 0, 0], [100, 100, 100]], **said}]
    if one.section == "game":
        written["game"]["listen"] = "unix:/run/game.sock"
    return written


def config(one: Setting, value: float) -> Config:
    """A configuration in which one key is written, of an engine that obeys it."""
    if one.section == "ports":
        return make_config({"device": "net_null0", one.name: value})
    if one.section == "host":
        return make_config("net_null0", **configured(one, value))
    return make_socket_config("io_uring", **configured(one, value))


def other(one: Setting) -> float:
    """A value that is not the default, and that is allowed with profile session."""
    if one.key in OTHERS:
        return OTHERS[one.key]
    return one.type(one.least if one.default != one.least else one.least + 1)


def test_every_line_is_read_by_python() -> None:
    lines = [line for line in DEF.read_text().splitlines() if re.match(r"[A-Z]", line)]
    assert [line.partition(",")[0] for line in lines] == [f"{one.group}({one.field}" for one in SETTINGS]


@each
def test_what_is_written_reaches_the_data_plane_as_what_the_field_counts(one: Setting) -> None:
    value = other(one)
    written = config(one, value)
    travelled = plan_from_json(plan_to_json(plan(written, make_host(written))))
    native = encode.plan_struct(travelled)
    assert getattr(STRUCTURES[one.group](native), one.field) == one.counted(value)


@each
def test_the_most_that_is_allowed_fits_the_field(one: Setting) -> None:
    assert one.counted(one.most) < 2 ** (64 if one.kind in ("SECONDS", "METRES") else 32)
    assert one.least <= one.default <= one.most


@each
def test_a_reload_changes_what_lies_in_the_policy(one: Setting) -> None:
    changed = restart_needed(config(one, one.default), config(one, other(one)))
    assert bool(changed) == (one.group in ("PLAN", "PORT", "SOCKETS", "WORLD", "COMBAT"))


def test_what_the_schema_says_of_reloading_is_so() -> None:
    said = re.search(r"All but (.*?) reload live", " ".join((DeliveryConfig.__doc__ or "").split()))
    assert said
    fixed = [one.name for one in SETTINGS if one.section == "delivery" and not one.live]
    assert said[1] == " and ".join(fixed)
