# SPDX-License-Identifier: BSD-3-Clause
"""`./scripts/run` as root first, then as somebody else: what root made does not stand in the way."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.readme.documents import ROOT
from tests.readme.test_readme import private_host

pytestmark = [
    pytest.mark.timeout(900),  # the first run may build
    pytest.mark.skipif(os.geteuid() != 0, reason="not root: it takes two users"),
]

NOBODY = 65534


@pytest.fixture
def enter(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with private_host(scratch) as command:
        yield command


def typed(enter: tuple[str, ...], script: str, user: int = 0) -> str:
    """Standard output of commands that succeed, typed by a user whose files others may not read."""
    become = () if user == 0 else ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    done = subprocess.run(
        (*enter, *become, "bash", "-euc", f"umask 077; {script}"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_who_may_only_read_what_root_set_up_can_run_it(enter: tuple[str, ...]) -> None:
    typed(enter, "./scripts/run --for 0.5 --json")

    ran = json.loads(typed(enter, "./scripts/run --for 0.5 --json", NOBODY))

    assert sum(ran["pollgate_received_packets_total"].values()) > 0


def test_what_root_makes_in_somebodys_checkout_is_theirs(enter: tuple[str, ...]) -> None:
    typed(enter, f"chown {NOBODY}:{NOBODY} . && ./scripts/run --for 0.5 --json")

    assert typed(enter, f"find .venv var build ! -user {NOBODY} -print 2>/dev/null || true") == ""
    ran = json.loads(typed(enter, "./scripts/run --for 0.5 --json", NOBODY))
    assert sum(ran["pollgate_received_packets_total"].values()) > 0


def test_what_a_stranger_would_have_to_build_is_one_sentence(enter: tuple[str, ...]) -> None:
    typed(enter, "rm .venv/.built-from")

    done = subprocess.run(
        (*enter, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "scripts/setup"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (69, "")
    (said,) = done.stderr.splitlines()
    assert f"{ROOT}/build cannot be written by this user; run it as its owner, root" in said
