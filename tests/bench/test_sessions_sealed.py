# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench sessions-sealed`: gateway, bare echo and ENet answer; each row says what it is of.

Netcode's reference implementation is in no registry: who has its source runs the bench with --netcode.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyshim.bench.rig.placement import choose_placement
from pyshim.bench.rig.sealed_contest import Opponent, Pace, compile_opponents, crowded
from pyshim.errors import UnavailableError
from tests.bench.commands import BRIEFLY, bench
from tests.ports import free_port

PLAYERS = 50


def test_every_row_has_a_figure_of_both_sides(tmp_path: Path) -> None:
    ended = bench(
        "sessions-sealed", "--engines", "epoll", "--connected", "1000,2000", "--json", *BRIEFLY, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    rows = {row["name"]: row for row in json.loads(ended.stdout)["rows"]}
    assert rows.keys() >= {"steady-epoll-echo", "full-epoll-echo", "connected-1000", "connected-2000"}
    for name, row in rows.items():
        assert row["unit"] == ("connections/CPU-second" if name.startswith("connect-") else "ns/message")
        assert row["value"] > 0
        assert row["against_samples"][0] > 0
    assert rows["connected-2000"]["bytes_per_player"] is not None


@pytest.mark.parametrize("kind", ["echo", "enet"])
def test_an_opponent_answers_every_message_of_its_load(tmp_path: Path, kind: str) -> None:
    try:
        program = compile_opponents(tmp_path, kind)
    except UnavailableError as problem:
        pytest.skip(str(problem))
    with Opponent(program, kind, PLAYERS, free_port(), choose_placement()) as opponent:
        served = opponent.serve(Pace(window=8), 0.2)
    assert served.answered > 0
    assert served.cpu_s > 0


def test_an_opponent_that_had_no_cpu_is_measured_once_more(tmp_path: Path) -> None:
    try:
        program = compile_opponents(tmp_path, "echo")
    except UnavailableError as problem:
        pytest.skip(str(problem))
    with Opponent(program, "echo", PLAYERS, free_port(), choose_placement()) as opponent:
        server = opponent._server.pid
        os.kill(server, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(opponent.serve, Pace(window=8), 0.1)
            with pytest.raises(TimeoutError):
                served.result(1.0)  # several measurements, each of nothing
            os.kill(server, signal.SIGCONT)
            assert served.result(60).answered > 0


_REFUSING = """\
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

// As a full buffer of the kernel would, every third time.
ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	static unsigned calls;

	if (++calls % 3 == 0) {
		errno = EAGAIN;
		return -1;
	}
	return sendto(fd, bytes, length, flags, NULL, 0);
}
"""


def test_a_message_that_could_not_be_sent_is_not_counted_as_sent(tmp_path: Path) -> None:
    try:
        program = compile_opponents(tmp_path, "echo")
    except UnavailableError as problem:
        pytest.skip(str(problem))
    (tmp_path / "refusing.c").write_text(_REFUSING)
    library = tmp_path / "refusing.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "refusing.c"], check=True, timeout=60)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        server.setblocking(False)
        load = [str(program), "echo-load", str(server.getsockname()[1]), "10", "1000", "0", "0.2"]
        preloaded = {**os.environ, "LD_PRELOAD": str(library)}
        said = subprocess.run(load, input=b"\n", capture_output=True, timeout=60, check=True, env=preloaded)
        came = sum(1 for _ in iter(lambda: _datagram(server), None))
    assert came > 0
    assert json.loads(said.stdout.split(b"\n")[1])["sent"] == came


def _datagram(server: socket.socket) -> bytes | None:
    try:
        return server.recv(2048)
    except BlockingIOError:
        return None


def test_a_crowd_is_connected_beside_those_who_play(tmp_path: Path) -> None:
    with crowded(tmp_path, "epoll", 300, PLAYERS, free_port(), choose_placement()) as gateway:
        assert gateway.connect().answered >= PLAYERS
        assert gateway.serve(Pace(rate_pps=500), 0.2).answered > 0


def test_who_gives_no_source_of_netcode_is_told_that_it_does_not_play(tmp_path: Path) -> None:
    ended = bench(
        "sessions-sealed", "--parts", "crowds", "--connected", "1000", "--json", *BRIEFLY, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert [row["name"] for row in said["rows"]] == ["connected-1000"]
    assert any("--netcode DIRECTORY" in note for note in said["notes"])


def test_a_directory_without_netcode_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    ended = bench("sessions-sealed", "--netcode", str(tmp_path), cwd=tmp_path)
    assert ended.returncode == 2
    assert f"{tmp_path} has no netcode.c; give the directory" in " ".join(ended.stderr.split())


def test_an_engine_that_is_none_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    ended = bench("sessions-sealed", "--engines", "dpdk", cwd=tmp_path)
    assert ended.returncode == 2
    assert "'dpdk' is not one of epoll, io_uring" in " ".join(ended.stderr.split())


@pytest.mark.full
def test_a_worker_that_inherits_a_million_connections_serves_each_in_1700_bytes(tmp_path: Path) -> None:
    connected = 1_000_000
    with crowded(tmp_path, "epoll", connected, PLAYERS, free_port(), choose_placement()) as gateway:
        assert gateway.serve(Pace(rate_pps=1000), 0.5).answered > 0
    assert gateway.memory_bytes / connected < 1700
