# SPDX-License-Identifier: BSD-3-Clause
"""Processes attach to a running gateway: who may, under which name, and what they get."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import mmap
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.plan import game_file_bytes
from tests.bus.process import (
    DETACHED,
    MAPPED,
    NOBODY,
    PAIR,
    READERS,
    READS,
    REFUSED,
    RENEWS,
    RINGS,
    WRITES,
    Process,
    head,
    hello,
    open_,
    refusal,
    topic,
    wait_until_sealed,
)
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import UnixConnection, ask
from tests.ports import free_port

VERSION, NAME, TAKEN, TOKEN, FULL, MEMORY, MALFORMED, USER = range(1, 9)
ATTACHES = """
import os, sys, time
from pathlib import Path
from tests.bus.process import Process
process = Process(Path(sys.argv[1]))
process.attach(sys.argv[2])
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(600)
print("attached", flush=True)
time.sleep(600)
"""


def config(directory: Path, **game: Any) -> dict[str, Any]:
    ours = {"ring_kib": 16, "processes": 4, "huge_pages": "never"}  # what is free of them is not ours
    section = {"listen": f"unix:{directory}/game.sock", **ours, **game}
    return {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session"}],
        "game": section,
    }


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One for tests that leave it as it was but for a name; arena has a route."""
    directory = tmp_path_factory.mktemp("bus")
    with Gate(config(directory, processes=32, routes=[{"to": "arena"}]), directory) as made:
        yield made


@pytest.fixture
def path(gate: Gate) -> Path:
    return gate.directory / "game.sock"


@contextlib.contextmanager
def another_process(path: Path, name: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """One of its own that has attached."""
    root = Path(__file__).resolve().parents[2]
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.append({str(root)!r})\n{ATTACHES}",
        str(path),
        name,
    ]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "attached\n"
            yield process
        finally:
            process.kill()


def inodes(fds: tuple[int, ...]) -> list[int]:
    return [os.fstat(fd).st_ino for fd in fds]


# ---------------------------------------------------------------- attaching


def test_a_process_gets_the_worker_s_file_to_read_and_its_own_to_write(path: Path) -> None:
    with Process(path) as process:
        (rings,) = process.arrive("arena")
        assert rings.numbers == (0, 1)
        worker, own, bell = rings.fds
        assert os.fstat(worker).st_size == os.fstat(own).st_size == 640 + 16 * 1024
        assert os.fstat(worker).st_blocks * 512 == game_file_bytes(16 * 1024)  # no page is missing
        mmap.mmap(worker, 640, prot=mmap.PROT_READ).close()
        with pytest.raises(PermissionError):
            mmap.mmap(worker, 640)
        mmap.mmap(own, 640).close()
        process.say(head(MAPPED))
        wait_until_sealed(own)
        for fd in (worker, own):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, 0)
        os.eventfd_write(bell, 1)


def test_what_is_wrong_with_a_hello_is_told_in_a_sentence(path: Path) -> None:
    wrong = {
        hello("arena", version=9): (
            VERSION,
            "test 1 speaks version 9 of the game bus, and the gateway, pollgate ",
        ),
        hello("no name"): (NAME, 'the name "no name" is none that a game process can have'),
        b"x": (MALFORMED, "a packet of 1 bytes"),
        b"x" * 5000: (MALFORMED, "does not begin as those of a game process do"),
        head(2): (MALFORMED, "a message of kind 2 before the HELLO"),
        open_("arena"): (MALFORMED, "a message of kind 5 before the HELLO"),
    }
    for packet, (reason, text) in wrong.items():
        said = refusal(path, packet)
        assert (said.reason, text in said.text) == (reason, True), said.text


def test_a_name_that_a_living_process_has_is_refused_with_its_number(path: Path) -> None:
    with another_process(path, "arena") as first:
        said = refusal(path, hello("arena"))
        assert said.reason == TAKEN
        assert said.text == f"the name arena is taken by process {first.pid}, which lives"


def test_a_killed_process_is_followed_by_the_next_who_has_other_memory(
    path: Path,
) -> None:
    read, written = set(), set()
    for _ in range(8):
        with another_process(path, "arena") as process:
            process.send_signal(signal.SIGKILL)
            process.wait(TIMEOUT_S)
        with Process(path) as following:
            (rings,) = following.attach("arena")
            worker, own, _ = inodes(rings.fds)
            read.add(worker)
            written.add(own)
    assert (len(read), len(written)) == (8, 8)


def test_a_name_is_free_when_its_process_is_dead_though_a_child_has_the_connection(path: Path) -> None:
    with another_process(path, "forked", "fork") as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert len(children) == 1
        parent.kill()
        parent.wait(TIMEOUT_S)
        try:
            with Process(path) as following:
                following.attach("forked")
        finally:
            os.kill(int(children[0]), signal.SIGKILL)


def test_metrics_and_the_control_api_tell_who_is_there(gate: Gate, path: Path) -> None:
    def counted(name: str, **labels: str) -> float:
        return gate.metrics().value(f"pollgate_game_{name}", **labels)

    before = [counted("attachments_total"), counted("detachments_total", reason="gone")]
    refused = counted("refusals_total", reason="name")
    with Process(path) as process:
        process.attach("arena")
        gate.wait_until(lambda: counted("processes", state="attached") == 1)
        refusal(path, hello("no name"))
        (arena,) = [one for one in listed(gate) if one["name"] == "arena"]
        assert (arena["state"], arena["pid"]) == ("attached", os.getpid())
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", arena["since"])
    gate.wait_until(lambda: counted("processes", state="attached") == 0)
    assert [counted("attachments_total"), counted("detachments_total", reason="gone")] == [
        one + 1 for one in before
    ]
    assert counted("refusals_total", reason="name") == refused + 1
    (arena,) = [one for one in listed(gate) if one["name"] == "arena"]
    assert (arena["state"], arena["pid"]) == ("away", None)
    assert arena["pages"] in {"ordinary", "huge"}


def listed(gate: Gate) -> list[dict[str, Any]]:
    with contextlib.closing(UnixConnection(f"{gate.directory}/control.sock")) as connection:
        answer = ask(connection, "GET", "/v1/game")
    assert answer.status == 200
    processes: list[dict[str, Any]] = answer.body["processes"]
    return processes


def test_who_says_what_it_may_not_is_detached_and_its_name_is_free(gate: Gate, path: Path) -> None:
    with Process(path) as process:
        process.attach("arena")
        process.say(hello("arena"))
        said = process.hear()
        assert said is not None
        assert (said.kind, "which none may send" in said.text) == (DETACHED, True)
        assert process.hear() is None
    gate.wait_for_line(r"game process arena \(process \d+\) is detached: a message of kind 1")
    with Process(path) as process:
        process.attach("arena")


def test_strangers_who_say_nothing_are_few_and_hold_up_nobody(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Process(path)) for _ in range(32)]
        said = refusal(path)
        assert (said.reason, said.text) == (
            FULL,
            "32 processes are about to attach already; try again in a moment",
        )
        silent.pop().attach("arena")  # who says something in time is in
        first = silent[0].hear()  # after 10 seconds
        assert first is not None
        assert (first.kind, "it said nothing for 10 s" in first.text) == (REFUSED, True)
        assert silent[0].hear() is None


# ---------------------------------------------------------------- from process to process


def test_a_process_writes_to_another_through_two_files_and_the_next_ones_write_others(path: Path) -> None:
    with Process(path) as reader:
        reader.attach("reader")
        with Process(path) as writer:
            writer.attach("writer")
            writer.say(open_("reader"))
            ours, theirs = writer.hear(), reader.hear()
            assert ours is not None
            assert theirs is not None
            assert (ours.kind, ours.numbers[0], ours.name) == (PAIR, WRITES, "reader")
            assert (theirs.kind, theirs.numbers[0], theirs.name) == (PAIR, READS, "writer")
            assert inodes(ours.fds) == inodes(theirs.fds)
            files = inodes(ours.fds)
            assert [os.fstat(fd).st_size for fd in ours.fds] == [640 + 16 * 1024, 640 + 4096]
            for name, text in (
                ("nobody", "there is no game process nobody"),
                ("writer", "does not write to itself"),
            ):
                writer.say(open_(name))
                said = writer.hear()
                assert said is not None
                assert (said.kind, text in said.text) == (NOBODY, True)
    with Process(path) as reader, Process(path) as writer:
        reader.attach("reader")
        again = reader.hear()
        assert again is not None
        assert (again.kind, again.name) == (PAIR, "writer")
        kept, own = inodes(again.fds)
        assert (kept, own != files[1]) == (files[0], True)  # what was written is there to be read
        writer.attach("writer")
        writer.say(open_("reader"))
        ours, theirs = writer.hear(), reader.hear()
        assert ours is not None
        assert theirs is not None
        assert (theirs.kind, theirs.numbers[0], theirs.name) == (PAIR, READS, "writer")
        assert inodes(ours.fds) == inodes(theirs.fds)
        assert not {*inodes(ours.fds)} & {*files, own}
        for fd in ours.fds:
            with pytest.raises(PermissionError):
                fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        writer.say(open_("reader"))
        again = writer.hear()
        assert again is not None
        assert inodes(again.fds) == inodes(ours.fds)
        reader.close()
        with Process(path) as another:
            another.attach("reader")
            reads, renews = another.hear(), writer.hear()
            assert reads is not None
            assert renews is not None
            assert (renews.kind, renews.numbers[0], renews.name) == (PAIR, RENEWS, "reader")
            assert inodes(reads.fds) == [inodes(ours.fds)[0], *inodes(renews.fds)]


def test_everybody_knows_who_has_a_topic(path: Path) -> None:
    with Process(path) as one, Process(path) as other, Process(path) as late:
        one.attach("one")
        other.attach("other")
        for on in (True, False, True):
            one.say(topic(7, on=on))
            said = other.hear()
            assert said is not None
            assert (said.kind, said.numbers, said.name) == (READERS, (7, int(on)), "one")
        late.attach("late")
        said = late.hear()
        assert said is not None
        assert (said.kind, said.numbers, said.name) == (READERS, (7, 1), "one")
        one.close()
        for process in (other, late):
            said = process.hear()
            assert said is not None
            assert (said.kind, said.numbers, said.name) == (READERS, (7, 0), "one")


def test_more_topics_than_a_process_can_have_end_it(path: Path) -> None:
    with Process(path) as process:
        process.attach("many")
        for number in range(257):
            process.say(topic(number))
        said = process.hear()
        assert said is not None
        assert (said.kind, "more than 256 topics" in said.text) == (DETACHED, True)


# ---------------------------------------------------------------- worker processes


def test_a_killed_worker_s_successor_is_given_to_who_is_there(gate: Gate, path: Path) -> None:
    with Process(path) as process:
        (rings,) = process.attach("mortal")
        before, incarnation = inodes(rings.fds), rings.numbers[1]
        for number in range(1, 4):
            gate.kill_worker()
            said = process.hear()
            assert said is not None
            assert (said.kind, said.numbers) == (RINGS, (0, incarnation + number))
            worker, *others = inodes(said.fds)
            assert others == before[1:]
            assert worker not in before
            with pytest.raises(PermissionError):
                mmap.mmap(said.fds[0], 640)
        assert process.hears_nothing()


def test_a_process_that_breaks_its_ring_is_detached_and_the_next_gets_other_memory(
    gate: Gate, path: Path
) -> None:
    seen, before = [], gate.metrics().value("pollgate_game_detachments_total", reason="broken")
    for _ in range(3):
        with Process(path) as process:
            (rings,) = process.arrive("breaker")
            seen += inodes(rings.fds[:2])  # an eventfd has no inode of its own
            with mmap.mmap(rings.fds[1], 648) as memory:
                process.say(head(MAPPED))
                wait_until_sealed(rings.fds[1])
                memory[640:648] = bytes([9] * 8)  # an entry of no kind that there is
            os.eventfd_write(rings.fds[2], 1)
            said = process.hear()
            assert said is not None
            assert (said.kind, "breaker is detached: " in said.text) == (DETACHED, True)
            assert process.hear() is None
    assert len(set(seen)) == len(seen)
    gate.wait_for_line(r"warning: game process breaker \(process \d+\) is detached: ")
    gate.wait_until(
        lambda: gate.metrics().value("pollgate_game_detachments_total", reason="broken") == before + 3
    )


# ---------------------------------------------------------------- who may


def test_the_file_of_the_socket_is_as_configured_and_goes_with_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "game.sock"
    with Gate(config(tmp_path, permissions="0600"), tmp_path) as gate:
        assert path.stat().st_mode & 0o7777 == 0o600
        with Process(path) as process:
            process.attach("arena")
            assert gate.stop() == 0
            assert process.hear() is None
    assert not path.exists()


def test_a_killed_gateway_s_processes_hear_the_end_and_its_socket_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "game.sock"
    with Gate(config(tmp_path), tmp_path) as gate, Process(path) as process:
        process.attach("arena")
        gate.process.kill()
        assert process.hear() is None
    assert path.is_socket()
    with Gate(config(tmp_path), tmp_path), Process(path) as process:
        process.attach("arena")


def test_a_living_gateway_s_socket_is_not_taken(gate: Gate, path: Path, tmp_path: Path) -> None:
    wanted = config(tmp_path, listen=f"unix:{path}")
    with Gate(wanted, tmp_path, wait_ready=False) as second:
        assert second.wait() == 69
        assert (
            f"game.listen: unix:{path} cannot be listened on: Address already in use; another gateway is"
        ) in second.stderr
        assert "Traceback" not in second.stderr
    with Process(path) as process:
        process.attach("arena")


def test_a_socket_in_a_directory_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with Gate(config(tmp_path, listen=f"unix:{tmp_path}/no/game.sock"), tmp_path, wait_ready=False) as gate:
        assert gate.wait() == 69
        assert "game.sock cannot be listened on: No such file or directory; make its directory" in gate.stderr


def test_users_who_are_not_named_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "game.sock"
    with Gate(config(tmp_path, users=["daemon" if getpass.getuser() != "daemon" else "bin"]), tmp_path):
        said = refusal(path)
        assert said.reason == USER
        assert said.text == f"user {os.getuid()} is none of those who may attach; name it in game.users"


def test_a_token_is_asked_for_if_there_is_one(tmp_path: Path) -> None:
    path, token = tmp_path / "game.sock", tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    with Gate(config(tmp_path, token_file=str(token)), tmp_path):
        for wrong in (b"", b"0123456789abcdeX", b"0123456789abcdef0"):
            said = refusal(path, hello("arena", token=wrong))
            assert (said.reason, "than that of game.token_file" in said.text) == (TOKEN, True)
        with Process(path) as process:
            process.attach("arena", token=b"0123456789abcdef")


def test_there_are_as_many_names_as_processes_and_a_reload_takes_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "game.sock"
    wanted = config(tmp_path, processes=2, routes=[{"to": "arena"}])
    with Gate(wanted, tmp_path) as gate, Process(path) as process:
        process.attach("lobby")
        said = refusal(path, hello("third"))
        assert said.reason == FULL
        assert "game.processes allows 2 names" in said.text
        gate.write_config({**wanted, "game": {**wanted["game"], "routes": [{"to": ["arena", "third"]}]}})
        gate.reload()
        gate.wait_for_line("reload refused.*game.routes: there is no room for third")
        gate.write_config({**wanted, "game": {**wanted["game"], "routes": [{"to": ["lobby", "arena"]}]}})
        gate.reload()
        gate.wait_for_line("configuration reloaded")
        with Process(path) as other:
            other.attach("arena")
