# SPDX-License-Identifier: BSD-3-Clause
"""What every document has its reader type does what the text says, as a newcomer would type it.

Each lesson (`tests/readme/documents.py`) is played in network and mount namespaces of its own, from the root
of the repository. What it writes there, to /usr/local or to /etc is gone after it; of what a clone has not,
neither `var` nor the builds of documents are there before.
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
from pathlib import Path

import pytest

from tests.readme.documents import ROOT, Block, lessons
from tests.wireshark.dissection import AS_NOBODY

pytestmark = [
    pytest.mark.timeout(3000),  # blocks may build
    pytest.mark.skipif(os.geteuid() != 0, reason="not root: namespaces need it"),
]

LAYERED = (str(ROOT), "/usr/local", "/etc")
ABSENT_FROM_A_CLONE = (
    "var",
    "ticket.json",
    "build/client",
    "build/client-home",
    "build/game",
    "build/release",
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
# A private copy of what a lesson may write to: overlays, whose upper layers are in memory.
LAYERS = f"""
mount -t tmpfs tmpfs "$1" && mkdir "$1/home" "$1/bin" || exit
cat >"$1/bin/tshark" <<'END'
#!/bin/sh
# Its README is for ordinary users.
exec {" ".join(AS_NOBODY)} /usr/bin/tshark "$@"
END
chmod +x "$1/bin/tshark"
number=0
for below in {" ".join(LAYERED)}; do
    layer="$1/layer$number" number=$((number + 1))
    mkdir "$layer" "$layer/upper" "$layer/work" || exit
    options="lowerdir=$below,upperdir=$layer/upper,workdir=$layer/work,metacopy=on" # chown copies no content
    mount -t overlay overlay -o "$options" "$below" || exit
done
cd "{ROOT}" && rm -rf {" ".join(ABSENT_FROM_A_CLONE)}
"""


@contextmanager
def private_host(scratch: Path) -> Iterator[tuple[str, ...]]:
    """Namespaces with nothing but a loopback interface; yields the command that enters them."""
    ours = ("/run/netns", "/run/pollgate")  # a gateway that runs on this host has its control socket there
    for directory in ours:
        Path(directory).mkdir(parents=True, exist_ok=True)
    # /sys shows the interfaces of the namespace that mounted it.
    mounts = " && ".join(
        [*(f"mount -t tmpfs tmpfs {directory}" for directory in ours), "mount -t sysfs sysfs /sys"]
    )
    # In a chroot `/` is often no mount, of which unshare could make others' copies independent.
    private = "{ mount --make-rprivate / || mount --make-private /sys; } 2>/dev/null"
    setup = f"{private}; {mounts} && ip link set lo up && {{ {LAYERS}\n}} && echo up && exec sleep infinity"
    with subprocess.Popen(
        ("unshare", "--net", "--mount", "--propagation", "unchanged", "sh", "-c", setup, "sh", str(scratch)),
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "up\n"
            enter = ("nsenter", "--target", str(holder.pid), "--net", "--mount", "--root")
            path = f"{scratch}/bin:{os.environ['PATH']}"
            yield (*enter, "env", f"--chdir={ROOT}", f"HOME={scratch}/home", f"PATH={path}")
        finally:
            holder.kill()


@contextmanager
def terminal(enter: tuple[str, ...], block: Block, log: Path) -> Iterator[None]:
    """A block that keeps running, once it serves; Ctrl-C and a good end when the `with` block is left."""
    url = served_by(enter, block)
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


def served_by(enter: tuple[str, ...], block: Block) -> str:
    """Where the block's gate has its metrics, by the configuration that it names."""
    named = re.search(r"-c (\S+)", block.script)
    command = (*enter, "cat", named[1] if named else "configs/demo.yaml")
    config = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    listen = re.search(r"^[^#\n]*listen: (127\.0\.0\.1:\d+)", config, re.MULTILINE)  # not of a comment
    assert listen is not None, config
    return f"http://{listen[1]}"


@pytest.mark.parametrize("name", lessons())
def test_commands_work_as_written(name: str, tmp_path: Path) -> None:
    log = tmp_path / "terminal.log"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    blocks = [block for block in lessons()[name].blocks if not block.not_run]
    if not blocks:
        pytest.skip(lessons()[name].blocks[0].not_run)
    with private_host(scratch) as enter, ExitStack() as terminals:
        for block in blocks:
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
    if block.on_the_network:
        enter = tuple(word for word in enter if word != "--net")
    done = subprocess.run(
        (*enter, "bash", "-euxo", "pipefail", "-c", block.script),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- another prefix

PLAY = "var/player --ticket /dev/null"  # which is no ticket: 2; without its library nothing runs at all


def test_a_client_that_was_installed_elsewhere_builds_players_that_run_in_any_terminal(
    tmp_path: Path,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    scripts = [block.script for block in lessons()["client/README.md"].blocks]
    (install,) = [script for script in scripts if "--prefix" in script]
    builds = [script for script in scripts if "-o var/player" in script]
    assert len(builds) == 2, "with the library, and with the file"
    with private_host(scratch) as enter:
        elsewhere = (*enter, "sh", "-c", "rm -rf /usr/local/lib/*pollgate-client* && ldconfig")
        subprocess.run(elsewhere, check=True, timeout=60)
        run(enter, Block(install))
        for build in builds:
            run(enter, Block(f"{exports_of(install)}{build}"))
            run(enter, Block(f"{PLAY} && exit 1; test $? -eq 2"))


def exports_of(script: str) -> str:
    """What a terminal has kept of a block."""
    return "".join(f"{line}\n" for line in script.splitlines() if line.startswith("export "))
