# SPDX-License-Identifier: BSD-3-Clause
"""A supervisor that runs on after an upgrade: its worker processes are known, and a new one fails well."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from pathlib import Path

import pytest

from pyshim.dataplane import new_state
from pyshim.dataplane.page import PageNames, StatsPage
from pyshim.errors import ExitCode
from pyshim.host.packet_sockets import gates_by_interface
from pyshim.run.control import VERSION, Channel, Failed
from pyshim.system.worker_process import FORMER, MODULE
from tests.session.core_gateway import plan

LIMIT_S = 60
NAMES = PageNames("epoll", ("lo",), (), ("8080",))


@pytest.mark.parametrize(
    ("command", "is_known"),
    [
        (["python", "-P", "-m", MODULE, "--control", "3"], True),
        (["python", "-P", "-m", FORMER, "--control", "3"], True),
        (["python", "-m", "pyshim", "run"], False),
        (["vi", "pyshim/worker.py"], False),
    ],
)
def test_whose_a_packet_socket_is_is_known_of_either_version(
    tmp_path: Path, command: list[str], is_known: bool
) -> None:
    (tmp_path / "thread-self/net").mkdir(parents=True)
    row = "0000000000000000 3      3    0003   5     1       0      0      4711\n"
    (tmp_path / "thread-self/net/packet").write_text("sk RefCnt Type Proto Iface R Rmem User Inode\n" + row)
    (tmp_path / "99/fd").mkdir(parents=True)
    (tmp_path / "99/cmdline").write_text("\0".join(command) + "\0")
    (tmp_path / "99/fd/7").symlink_to("socket:[4711]")
    assert gates_by_interface(tmp_path) == ({5: {99}} if is_known else {})


def test_what_a_former_supervisor_starts_says_that_pollgate_was_replaced() -> None:
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(StatsPage.create(1, NAMES))
        state = stack.enter_context(new_state(plan()))
        ours, theirs = (stack.enter_context(contextlib.closing(end)) for end in Channel.pair())
        fds = {"control": theirs.fileno(), "stats": page.fd, "state": state.fd}
        command = [sys.executable, "-P", "-m", FORMER, "--start-limit", str(LIMIT_S)]
        command += [word for name, fd in fds.items() for word in (f"--{name}", str(fd))]
        process = stack.enter_context(
            subprocess.Popen(
                command, pass_fds=tuple(fds.values()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
        stack.callback(process.kill)
        # As that version said it: what else is in it, this one does not look at.
        ours.send_packet(json.dumps({"version": 1, "kind": "Start", "plan": {}}).encode(), wait=True)
        assert select.select([ours], [], [], LIMIT_S)[0]
        said = ours.receive()
        assert isinstance(said, Failed)
        assert said.message == f"a control message of version 1, not {VERSION}; pollgate was replaced?"
        assert said.exit_code == process.wait(LIMIT_S) == ExitCode.INTERNAL
