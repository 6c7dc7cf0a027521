# SPDX-License-Identifier: BSD-3-Clause
"""What a gateway removes after itself is its own, whoever else can write beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshim.run import runtime_directory
from pyshim.run.runtime_directory import remove_runtime_directory


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory such as /tmp, in which the directory of every user's gateways is."""
    monkeypatch.setattr(
        runtime_directory, "runtime_directory", lambda prefix: tmp_path / "shared" / "dpdk" / prefix
    )
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


def left_behind(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "config").write_text("of a primary process")
    return directory


def test_what_a_gateway_left_is_removed_and_nothing_beside_it(shared: Path) -> None:
    mine, other = left_behind(shared / "dpdk" / "mine"), left_behind(shared / "dpdk" / "other")
    remove_runtime_directory("mine")
    assert not mine.exists()
    assert (other / "config").exists()
    remove_runtime_directory("mine")  # once more is no fault


def test_a_link_that_a_stranger_made_is_not_followed(shared: Path, tmp_path: Path) -> None:
    precious = left_behind(tmp_path / "home" / "mine")
    (shared / "dpdk").symlink_to(tmp_path / "home")
    remove_runtime_directory("mine")
    assert (precious / "config").exists()


def test_a_link_in_place_of_the_directory_itself_is_not_followed(shared: Path, tmp_path: Path) -> None:
    precious = left_behind(tmp_path / "home" / "photos")
    (shared / "dpdk").mkdir()
    (shared / "dpdk" / "mine").symlink_to(precious)
    remove_runtime_directory("mine")
    assert (precious / "config").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's directory")
@pytest.mark.parametrize(("owner", "mode"), [(65534, 0o755), (0, 0o777)], ids=["a stranger's", "anybody's"])
def test_a_directory_that_others_can_write_to_is_left_alone(shared: Path, owner: int, mode: int) -> None:
    left = left_behind(shared / "dpdk" / "mine")
    os.chown(shared / "dpdk", owner, owner)
    (shared / "dpdk").chmod(mode)
    remove_runtime_directory("mine")
    assert (left / "config").exists()
