# SPDX-License-Identifier: BSD-3-Clause
"""Every `sh` block of README.md does what the text says, section by section, as a newcomer would type them.

Each section is played in network and mount namespaces of its own, from the root of the repository. A block
below the comment `<!-- keeps running -->` is a terminal of its own: it must get ready, other blocks follow,
and Ctrl-C must end it well, before a block below `<!-- after Ctrl-C -->` or at the end of the section.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

pytestmark = [
    pytest.mark.timeout(600),  # the first block may build
    pytest.mark.skipif(os.geteuid() != 0, reason="not root: namespaces need it"),
]

HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
BLOCK = re.compile(
    r"^(?:<!-- (?P<note>keeps running|after Ctrl-C) -->\n)?```sh\n(?P<script>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
WAIT_READY = """
import sys, time, urllib.request
while True:
    try:
        urllib.request.urlopen(sys.argv[1] + "/readyz", timeout=2)
        break
    except OSError:
        time.sleep(0.05)
"""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of commands."""

    script: str
    keeps_running: bool
    after_ctrl_c: bool


def sections() -> dict[str, tuple[Block, ...]]:
    """The blocks below each heading that has any."""
    parts = HEADING.split(README)[1:]
    found = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        blocks = tuple(
            Block(match["script"], match["note"] == "keeps running", match["note"] == "after Ctrl-C")
            for match in BLOCK.finditer(text)
        )
        if blocks:
            found[title] = blocks
    return found


@contextmanager
def private_host() -> Iterator[tuple[str, ...]]:
    """Namespaces with nothing but a loopback interface; yields the command that enters them."""
    ours = ("/run/netns", "/run/pollgate")  # a gateway that runs on this host has its control socket there
    for directory in ours:
        Path(directory).mkdir(parents=True, exist_ok=True)
    # /sys shows the interfaces of the namespace that mounted it.
    mounts = " && ".join(
        [*(f"mount -t tmpfs tmpfs {directory}" for directory in ours), "mount -t sysfs sysfs /sys"]
    )
    setup = f"{mounts} && ip link set lo up && echo up && exec sleep infinity"
    with subprocess.Popen(
        ("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", setup),
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "up\n"
            yield ("nsenter", "--target", str(holder.pid), "--net", "--mount", f"--wd={ROOT}")
        finally:
            holder.kill()


@contextmanager
def terminal(enter: tuple[str, ...], block: Block, log: Path) -> Iterator[None]:
    """A block that keeps running, once it serves; Ctrl-C and a good end when the `with` block is left."""
    url = served_by(block)
    with (
        log.open("wb") as output,
        subprocess.Popen(
            (*enter, "bash", "-euo", "pipefail", "-c", block.script),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_ready(enter, url, process)
            yield
            os.killpg(process.pid, signal.SIGINT)  # what a terminal does
            assert process.wait(timeout=30) == 0, log.read_text()
        except (subprocess.TimeoutExpired, TimeoutError):
            pytest.fail(f"{block.script.strip()} is not serving {url}; it said:\n{log.read_text()}")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_ready(enter: tuple[str, ...], url: str, process: subprocess.Popen[bytes]) -> None:
    """Until it serves; TimeoutError if it never will."""
    end = time.monotonic() + 300
    with subprocess.Popen((*enter, sys.executable, "-c", WAIT_READY, url)) as waiting:
        while waiting.poll() is None:
            if process.poll() is not None or time.monotonic() > end:
                waiting.kill()
                raise TimeoutError
            time.sleep(0.05)


def served_by(block: Block) -> str:
    """Where the block's gate has its metrics, by the configuration that it names."""
    named = re.search(r"-c (\S+)", block.script)
    config = (ROOT / (named[1] if named else "configs/demo.yaml")).read_text()
    listen = re.search(r"^[^#\n]*listen: (127\.0\.0\.1:\d+)", config, re.MULTILINE)  # not of a comment
    assert listen is not None, config
    return f"http://{listen[1]}"


@pytest.mark.parametrize("title", sections())
def test_commands_of_the_section_work_as_written(title: str, tmp_path: Path) -> None:
    log = tmp_path / "terminal.log"
    with private_host() as enter, ExitStack() as terminals:
        for block in sections()[title]:
            if block.after_ctrl_c:
                terminals.close()
            if block.keeps_running:
                terminals.enter_context(terminal(enter, block, log))
            else:
                run(enter, block)
    if log.exists():
        assert "received" in log.read_text(), "a run ends with a summary"


def run(enter: tuple[str, ...], block: Block) -> None:
    """Type a block; every command of it must succeed."""
    done = subprocess.run(
        (*enter, "bash", "-euxo", "pipefail", "-c", block.script),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_link_to_a_file_leads_somewhere() -> None:
    texts = {"README.md": README, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text()}
    for name, text in texts.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), f"{name} links to {target}"
