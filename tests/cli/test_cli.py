# SPDX-License-Identifier: BSD-3-Clause
"""The command `pollgate` as a shell sees it: exit codes, one sentence per failure, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyshim import __version__
from pyshim.config.located import locate

ROOT = Path(__file__).resolve().parents[2]

GOOD = """\
ports:
  - name: game0
    device: net_null0
    address: [10.0.0.1/24]
workers:
  cpus: auto
"""


def python(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pollgate(*args: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "pyshim", *args)


def broken_pollgate(fault: str, args: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run with a `load_config` that executes `fault`: failures that no input should be able to cause."""
    return python(
        "-c",
        "import sys, pyshim.config\n"
        f"def fail(path):\n    {fault}\n"
        "pyshim.config.load_config = fail\n"
        "from pyshim.cli import main\n"
        f"sys.argv = ['pollgate', *{list(args)!r}]\n"
        "sys.exit(main())\n",
        **environment,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gate.yaml"
    path.write_text(GOOD)
    return path


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    done = pollgate("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pollgate {__version__}\n", "")


def test_help_names_the_commands() -> None:
    done = pollgate("--help")
    assert done.returncode == 0
    assert {"run", "check", "reload", "token", "load", "bench"} <= set(done.stdout.split())


@pytest.mark.parametrize("command", ["tokens", "doctor", "top", "decode"])
def test_a_command_that_is_not_there_does_not_exist(command: str) -> None:
    done = pollgate(command)
    assert done.returncode == 2
    assert f"No such command '{command}'" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("run",),
        ("check",),
        ("check", "-c"),
        ("check", "-c", "x", "y"),
        ("run", "-c", "x", "--nope"),
        ("run", "-c", "x", "--for", "soon"),
        ("run", "-c", "x", "--for", "0"),
        ("run", "-c", "x", "--for", "-1"),
        ("run", "-c", "x", "--for", "nan"),
        ("run", "-c", "x", "--until-idle", "inf"),
    ],
    ids=" ".join,
)
def test_a_usage_error_ends_with_2_and_is_explained(args: tuple[str, ...]) -> None:
    done = pollgate(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_that_does_not_exist_ends_with_78_and_its_name(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    done = pollgate("check", "-c", str(missing))
    assert (done.returncode, done.stdout) == (78, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith(f"{missing}: cannot be read: No such file or directory")
    assert rest == ["1 error"]


def test_every_error_of_a_configuration_is_shown_with_its_line(config: Path) -> None:
    config.write_text(GOOD.replace("10.0.0.1/24", "10.0.0.256/24") + "sesions: {}\n")
    done = pollgate("check", "-c", str(config))
    assert done.returncode == 78
    lines = done.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{config}:4", f"{config}:7", "2 errors"]


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_this_host_cannot_do_is_shown_with_its_line(config: Path, command: str) -> None:
    config.write_text(GOOD.replace("cpus: auto", "cpus: [1023]"))
    done = pollgate(command, "-c", str(config))
    assert done.returncode in (69, 78)
    assert done.stderr.startswith(f"{config}:6: workers.cpus: CPU 1023 ")


def test_check_prints_the_plan(config: Path) -> None:
    done = pollgate("check", "-c", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    assert "net_null0" in done.stdout
    assert "8080" in done.stdout


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_check_prints_the_plan_of_an_engine_without_devices(engine: str) -> None:
    done = pollgate("check", "-c", f"configs/{engine}.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert engine in done.stdout
    assert "sockets per worker" in done.stdout
    assert "DPDK" not in done.stdout


def test_a_reader_that_goes_away_is_no_failure(config: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pyshim", "check", "-c", str(config)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupt_is_quiet() -> None:
    done = broken_pollgate("raise KeyboardInterrupt", ["check", "-c", "x"])
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    "fault", ["raise ValueError('two\\nlines')", "raise BrokenPipeError", "raise EOFError"]
)
def test_a_bug_is_one_sentence_and_70(fault: str) -> None:
    done = broken_pollgate(fault, ["check", "-c", "x"])
    assert (done.returncode, done.stdout) == (70, "")
    assert len(done.stderr.splitlines()) == 1
    assert "failed unexpectedly" in done.stderr
    assert "please report it" in done.stderr


def test_a_bug_shows_where_it_is_when_asked() -> None:
    done = broken_pollgate("raise ValueError('x')", ["check", "-c", "x"], POLLGATE_DEBUG="1")
    assert done.returncode == 70
    assert "Traceback (most recent call last)" in done.stderr


@pytest.mark.parametrize(("name", "code"), [("Unavailable", 69), ("Internal", 70), ("Usage", 2)])
def test_every_failure_ends_with_its_own_code_and_message(name: str, code: int) -> None:
    fault = f"from pyshim.errors import {name}Error; raise {name}Error('said plainly')"
    done = broken_pollgate(fault, ["check", "-c", "x"])
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "said plainly\n")


def test_the_version_is_printed_without_loading_what_commands_need() -> None:
    done = python(
        "-c",
        "import sys\n"
        "from pyshim.cli import main\n"
        "sys.argv = ['pollgate', '--version']\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    heavy = {'yaml', 'prometheus_client', 'elftools', 'cffi', 'pyshim.config', 'pyshim.views'}\n"
        "    print(sorted(heavy & set(sys.modules)))\n",
    )
    assert done.stdout.splitlines()[-1] == "[]"


# ---------------------------------------------------------------- the place of a key


def test_a_key_gets_its_file_and_line(config: Path) -> None:
    assert locate("workers.cpus: none free", config) == f"{config}:6: workers.cpus: none free"
    assert locate("ports[0].device: unknown", config) == f"{config}:3: ports[0].device: unknown"


def test_a_key_left_to_its_default_gets_the_place_of_what_is_around_it(config: Path) -> None:
    # The mapping `workers` begins with its first key.
    assert locate("workers.isa: no AVX2", config) == f"{config}:6: workers.isa: no AVX2"


def test_each_line_of_a_message_gets_its_own_place(config: Path) -> None:
    message = "workers.cpus: one\nports[0].name: two\n2 errors"
    assert locate(message, config).splitlines() == [
        f"{config}:6: workers.cpus: one",
        f"{config}:2: ports[0].name: two",
        "2 errors",
    ]


@pytest.mark.parametrize(
    "line", ["gate.yaml:3: ports: x", "worker died: signal 11", "usage: pollgate", "plain words"]
)
def test_a_line_without_a_key_stays_as_it_is(config: Path, line: str) -> None:
    assert locate(line, config) == line


def test_a_file_that_has_gone_leaves_the_message_as_it_is(tmp_path: Path) -> None:
    assert locate("workers.cpus: none free", tmp_path / "gone") == "workers.cpus: none free"
