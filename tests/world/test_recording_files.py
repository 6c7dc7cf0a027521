# SPDX-License-Identifier: BSD-3-Clause
"""What is no recording is refused with a sentence; where none can be written, the gateway says so."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pyshim.errors import UnavailableError
from pyshim.planner import plan
from pyshim.recording.files import MAGIC, Header, RecordedWorld, write_recording
from pyshim.recording.keeping import RecordingMemory
from tests.gate import Gate
from tests.issuing.gateway import Api, configuration
from tests.plan.builders import make_host, make_socket_config
from tests.world.test_recording import replay

MEADOW = RecordedWorld("meadow", (-500.0, -500.0, -10.0), 0.01, 60)
SIZE = 100_000, 100_000, 10_000  # quanta
PART, BEGIN, STEP = 1, 5, 6
WORLD = {"name": "meadow", "bounds": [[-500, -500, -10], [500, 500, 90]]}


def header(*workers: int) -> Header:
    return Header("0.1.0", "2026-11-30T09:00:00.000Z", "the gateway ended", (MEADOW,), workers)


def entry(kind: int, layout: str, *values: int, more: int = 0) -> bytes:
    return struct.pack(f"<BBH{layout}", kind, 0, more, *values)


def made() -> bytes:
    """A part in which nobody ever was."""
    return entry(PART, "II3iII", 64, 64, *SIZE, 64, 1024)


def written(path: Path, journal: bytes) -> Path:
    write_recording(path, header(len(journal)), [journal])
    return path


def test_an_empty_world_is_a_recording(tmp_path: Path) -> None:
    nobody = 0
    lane = [2166136261, 1, 2, 3, 4, 5, 6, 7]
    for one in lane:
        nobody = (nobody ^ one) * 16777619 % 2**32
    frame = entry(BEGIN, "III", 1025, 7_000_000, 0) + entry(STEP, "IIII", 1024, 0, 0, nobody, more=1)
    found = replay(written(tmp_path / "empty.rec", made() + frame), "--json")
    assert found.returncode == 0, found.stderr
    (part,) = json.loads(found.stdout)["parts"]
    assert (part["frames"], part["entities"], part["difference"]) == (1, 0, None)
    assert part["from"] == "1970-01-01T00:00:07.000Z"


def cut(data: bytes) -> bytes:
    return data[:-1]


def of_another_kind(_: bytes) -> bytes:
    return b"\x7fELF" + bytes(100)


def without_header(_: bytes) -> bytes:
    return MAGIC + b"[1, 2]\n"


def of_other_worlds(data: bytes) -> bytes:
    return data.replace(b'"worlds":[{', b'"worlds":[5,{')


def before(journal: bytes) -> bytes:
    """As files were that had no sum."""
    return b"pollgate recording 2\n" + json.dumps(asdict(header(len(journal)))).encode() + b"\n" + journal


def for_a_terminal(data: bytes) -> bytes:
    return data.replace(b"the gateway ended", b"\\u001b[2Jway ended")


def without_sum(data: bytes) -> bytes:
    return data[:-72] + b"sha256 \x1b[2J".ljust(72, b" ")


def impossible(_: bytes) -> bytes:
    return before(made() + entry(STEP, "IIII", 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (cut, "bytes and should have"),
        (of_another_kind, "this is no recording"),
        (without_header, "second line says nothing that can be read"),
        (of_other_worlds, "second line says nothing that can be read"),
        (for_a_terminal, "second line says nothing that can be read"),
        (without_sum, "last line says nothing that can be read"),
        (impossible, "says what no worker can have done"),
        (lambda _: b"", "it is empty"),
    ],
)
def test_what_is_no_recording_is_refused(
    change: Callable[[bytes], bytes], sentence: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.rec", made())
    path.write_bytes(change(path.read_bytes()))
    found = replay(path)
    assert found.returncode == 2
    assert found.stderr.startswith(f"{path}: ")
    assert sentence in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_file_of_before_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(before(made()))
    found = replay(path)
    assert (found.returncode, found.stderr) == (0, "")
    assert "no sum" in found.stdout


def test_a_change_that_changes_no_frame_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.rec", made())
    whole = path.read_bytes()
    said = subprocess.run(
        f"head -c -72 {path} | sha256sum", shell=True, capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert json.loads(replay(path, "--json").stdout)["sha256"] == said
    path.write_bytes(whole.replace(b"the gateway ended", b"the gateway ender"))
    for arguments in ((), ("--json",)):
        found = replay(path, *arguments)
        assert found.returncode == 1
        assert f"changed since it was written: it says that its sha256 is {said}, and" in found.stderr


@pytest.mark.parametrize("at", range(0, 4096, 97))
def test_no_bit_of_a_file_can_be_changed_unnoticed(at: int, tmp_path: Path) -> None:
    path = written(tmp_path / "a.rec", made())
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << at % 8
    path.write_bytes(data)
    assert replay(path).returncode in {1, 2}


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    found = replay(tmp_path / "none.rec")
    assert found.returncode == 2
    assert found.stderr == f"{tmp_path}/none.rec: the recording cannot be read: No such file or directory\n"


def test_who_was_never_there_is_told(tmp_path: Path) -> None:
    found = replay(written(tmp_path / "a.rec", made()), "--player", "9")
    assert found.returncode == 2
    assert "no player 9 is in this recording" in found.stderr


def test_a_disk_that_is_full_leaves_the_file_of_before(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path = written(disk / "a.rec", made())
        before = path.read_bytes()
        with pytest.raises(OSError, match="No space left"):
            write_recording(path, header(1 << 20), [os.urandom(1 << 20)])
        assert path.read_bytes() == before
        assert [one.name for one in disk.iterdir()] == ["a.rec"]
    finally:
        subprocess.run(["umount", disk], check=True)


def plan_of(directory: Path) -> Any:
    config = make_socket_config(
        "epoll",
        listen=[{"port": 1, "profile": "session", "world": "meadow"}],
        worlds=[WORLD],
        record={"path": str(directory / "a.rec"), "memory_mib": 16},
    )
    return plan(config, make_host(config))


def test_where_no_file_can_be_made_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"record\.path: .*No such file or directory"):
        RecordingMemory(plan_of(tmp_path), tmp_path / "none" / "a.rec")
    with pytest.raises(UnavailableError, match="Is a directory"):
        RecordingMemory(plan_of(tmp_path), tmp_path)
    assert not list(tmp_path.iterdir())


def check(directory: Path, path: Path) -> subprocess.CompletedProcess[str]:
    config = configuration(directory) | {"worlds": [WORLD], "record": {"path": str(path)}}
    config["listen"][0]["world"] = "meadow"
    file = directory / "gate.yaml"
    # JSON, which is YAML; the key to be named has a line of its own.
    file.write_text(json.dumps(config).replace('"path"', '\n"path"'))
    return subprocess.run(
        [sys.executable, "-m", "pyshim", "check", "-c", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(path: Path, why: str) -> tuple[int, str]:
    return 69, (
        f"gate.yaml:2: record.path: the recording cannot be written to {path}: {why}; name a file in a "
        "directory that this user may write to and that has room\n"
    )


def said(directory: Path, path: Path) -> tuple[int, str]:
    found = check(directory, path)
    return found.returncode, found.stderr.replace(f"{directory}/gate.yaml", "gate.yaml")


def test_check_says_where_no_file_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path / "none" / "a.rec", "No such file or directory"),
        (tmp_path / "file" / "a.rec", "Not a directory"),
        (tmp_path, "Is a directory"),
    ):
        assert said(tmp_path, path) == refusal(path, why)
    before = sorted(tmp_path.iterdir())
    assert check(tmp_path, tmp_path / "a.rec").returncode == 0
    assert sorted(tmp_path.iterdir()) == before


def test_check_says_that_a_directory_may_not_be_written_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", kept], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        assert said(tmp_path, kept / "a.rec") == refusal(kept / "a.rec", "Read-only file system")
    finally:
        subprocess.run(["umount", kept], check=True)


def test_memory_in_which_nothing_was_written_is_an_empty_recording(tmp_path: Path) -> None:
    with RecordingMemory(plan_of(tmp_path), tmp_path / "a.rec") as memory:
        saved = memory.save("asked", 30)
    assert saved.path.stat().st_mode & 0o777 == 0o600
    found = replay(saved.path)
    assert found.returncode == 0
    assert "no frame whose making is in the recording" in found.stdout


def test_a_gateway_whose_disk_fills_up_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        config = configuration(tmp_path)
        config["listen"][0]["world"] = "meadow"
        config |= {
            "worlds": [WORLD | {"tick_hz": 128}],
            "record": {"path": f"{disk}/a.rec", "memory_mib": 16},
        }
        with Gate(config, tmp_path) as gate:
            (disk / "full").write_bytes(bytes(63 << 10))
            answer = Api(gate)("POST", "/v1/recording")
            assert answer.status == 503
            assert "No space left on device" in answer.body["error"]
            gate.stop()
            assert gate.process.returncode == 0
        assert [one.name for one in disk.iterdir()] == ["full"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_module_is_run_as_it_is_installed() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pyshim", "replay", "--help"], capture_output=True, text=True, check=True
    )
    assert "--player" in found.stdout
