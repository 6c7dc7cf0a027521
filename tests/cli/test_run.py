# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate run` on a real device shows itself as its standard output deserves."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from pyshim.nearest_text import NEAREST

CONFIG = """\
ports:
  - {name: game0, device: net_null0, address: [10.0.0.1/24]}
metrics: {listen: "127.0.0.1:0"}
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    config = tmp_path / "gate.yaml"
    config.write_text(CONFIG)
    return [sys.executable, "-m", "pyshim", "run", "-c", str(config), "--for", "1.5"]


def test_a_terminal_gets_the_live_table_and_then_the_summary(command: list[str]) -> None:
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        command, env={**environment, "TERM": "xterm"}, stdin=subprocess.DEVNULL, stdout=terminal
    ) as process:
        os.close(terminal)
        drawn = b""
        try:
            while piece := os.read(screen, 65536):
                drawn += piece
        except OSError:
            pass  # how a terminal says that its last writer has gone
        finally:
            os.close(screen)
        code = process.wait()
    text = drawn.decode()
    assert code == 0
    assert text.index("packets/s") < text.index("Ran for")
    assert "/metrics" in text
    assert text.rstrip().endswith("✓\x1b[0m")


def test_a_pipe_gets_lines_and_then_the_summary(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    first = done.stdout.splitlines()[0]
    assert first.startswith("up_s=")
    assert "rx_pps=" in first
    assert "Ran for" in done.stdout
    assert done.stderr.startswith("metrics: http://127.0.0.1:")


@pytest.mark.parametrize("name", ["dumb", "unknown", ""])
def test_a_terminal_that_calls_itself_dumb_gets_lines(command: list[str], name: str) -> None:
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        command, env={**os.environ, "TERM": name}, stdin=subprocess.DEVNULL, stdout=terminal
    ) as process:
        os.close(terminal)
        written = b""
        try:
            while piece := os.read(screen, 65536):
                written += piece
        except OSError:
            pass  # how a terminal says that its last writer has gone
        finally:
            os.close(screen)
    assert process.returncode == 0
    assert b"up_s=1 " in written
    assert b"\x1b[?25l" not in written  # no cursor was hidden, so none was moved


def test_a_log_in_ascii_says_in_letters_whether_the_books_balance(command: list[str]) -> None:
    plain = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("  ok")
    assert "?" not in done.stdout


@pytest.mark.parametrize(("text", "shown"), [("5 × 2 – ✓", "5 x 2 - ok"), ("a 🐉", "a \\U0001f409")])
def test_what_an_encoding_has_not_becomes_the_nearest_that_it_has(text: str, shown: str) -> None:
    assert text.encode("ascii", NEAREST).decode() == shown


def test_a_reader_that_goes_away_does_not_make_the_run_a_failure(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 0
    said = [line for line in done.stderr.decode().splitlines() if not line.startswith("metrics: ")]
    assert said == [
        "warning: nobody reads standard output any more: what is said there is dropped and counted"
    ]
