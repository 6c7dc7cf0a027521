# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipes for a profile, an engine and a task: one copy, and a gateway with all three."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.handbook.scratch import BOUND_S, Recipe, Scratch, recipe
from tests.ports import free_port

pytestmark = pytest.mark.full  # a build of nearly everything

FILES_MAX = 8  # of a profile, by hand: C, the configuration; documents and tests are counted apart
ANSWERED = 5


@pytest.fixture(scope="module")
def recipes() -> tuple[Recipe, ...]:
    return tuple(map(recipe, ("profile", "engine", "task")))


@pytest.fixture(scope="module")
def scratch(recipes: tuple[Recipe, ...], tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    copy = Scratch(tmp_path_factory.mktemp("doors"))
    for one in recipes:
        copy.follow(one)
    return copy


def ask(port: int, payload: bytes) -> bytes | None:
    """The answer to a datagram, or None when there is none within a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
        player.settimeout(1)
        player.connect(("127.0.0.1", port))
        try:
            player.send(payload)
            return player.recv(2048)
        except (TimeoutError, ConnectionRefusedError):
            return None


def await_first_answer(port: int, gateway: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + BOUND_S
    while ask(port, b"are you there?") is None:
        assert gateway.poll() is None, gateway.communicate()
        assert time.monotonic() < deadline, "nobody answers"
        time.sleep(0.05)


@contextlib.contextmanager
def running(scratch: Scratch, configuration: Path) -> Iterator[subprocess.Popen[str]]:
    gateway = subprocess.Popen(
        [sys.executable, "-m", "pyshim", "run", "-c", configuration, "--json"],
        cwd=scratch.path,
        env={**os.environ, "PYTHONPATH": str(scratch.path), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield gateway
    finally:
        gateway.kill()
        gateway.communicate()


@pytest.fixture(scope="module")
def summary(scratch: Scratch, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a gateway with the new engine says at its end, whose only listener speaks the new profile."""
    scratch.build_all()
    port = free_port()
    folder = tmp_path_factory.mktemp("gateway")
    configuration = folder / "gate.yaml"
    configuration.write_text(
        f"engine: another\n"
        f"ports: [{{name: game0, address: [127.0.0.1/8]}}]\n"
        f"listen: [{{port: {port}, profile: echo}}]\n"
        f"metrics: {{listen: null}}\n"
    )
    with running(scratch, configuration) as gateway:
        await_first_answer(port, gateway)
        for number in range(ANSWERED):
            payload = b"x" * (number + 4)
            assert ask(port, payload) == payload
        assert ask(port, b"x") is None
        gateway.send_signal(signal.SIGINT)
        said, errors = gateway.communicate(timeout=BOUND_S)
    assert gateway.returncode == 0, errors
    return dict(json.loads(said.splitlines()[-1]))


def test_a_profile_takes_at_most_eight_files(recipes: tuple[Recipe, ...]) -> None:
    profile = recipes[0]
    assert profile.files == (
        "dpdk_app/wire/profiles.def",
        "dpdk_app/pipeline/echo.c",
        "dpdk_app/meson.build",
        "dpdk_app/stats/reasons.def",
        "pyshim/config/listen.py",
    )
    assert len(profile.files) <= FILES_MAX


def test_an_engine_takes_four_files_and_a_task_two(recipes: tuple[Recipe, ...]) -> None:
    _, engine, task = recipes
    assert engine.files == (
        "dpdk_app/include/engines.def",
        "dpdk_app/engine/socket/another.c",
        "dpdk_app/meson.build",
        "pyshim/config/engines.py",
    )
    assert task.files == ("dpdk_app/runtime/worker_tasks.c", "dpdk_app/stats/counters.def")


def test_nothing_is_changed_that_no_recipe_names(recipes: tuple[Recipe, ...], scratch: Scratch) -> None:
    by_hand = {file for one in recipes for file in one.files}
    assert scratch.changed() == {*by_hand, "configs/pollgate.schema.json"}


def total(summary: dict[str, Any], metric: str) -> int:
    """A metric's sum over all workers and labels."""

    def added(value: Any) -> int:
        return sum(map(added, value.values())) if isinstance(value, dict) else value

    return added(summary[metric])


def test_datagrams_are_handled_by_the_profile_over_the_engine_and_counted(summary: dict[str, Any]) -> None:
    handled = summary["pollgate_messages_total"]["0"]
    assert handled["echo"] >= ANSWERED + 1
    assert sum(handled.values()) == handled["echo"]
    dropped = summary["pollgate_drops_total"]["0"]
    assert (dropped["truncated"], sum(dropped.values())) == (1, 1)
    assert summary["pollgate_received_packets_total"]["0"] == handled["echo"] + 1
    assert summary["pollgate_transmit_sent_packets_total"]["0"] == handled["echo"]


def test_the_task_runs_between_bursts(summary: dict[str, Any]) -> None:
    assert summary["pollgate_worker_tenths_total"]["0"] > 0
