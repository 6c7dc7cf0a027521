# SPDX-License-Identifier: BSD-3-Clause
"""Process 1 of the guest: makes what a distribution's init makes, then runs the commands that it is sent.

Needs nothing but the standard library, of the guest's own Python. A connection is one command:

    host:  {"argv": ["ping", "-c", "1", "10.0.0.2"], "input": ""}     and later perhaps {"signal": 15}
    guest: {"out": "..."} and {"err": "..."} as they come, at last {"exit": 0}

A command whose connection ends is killed, with everything that it started in its session. A connection that
begins with {"connect": "/run/control.sock"} is one to that socket from then on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

ADDRESS, PORT = "192.168.77.2", 7000
MAC = "02:00:00:00:00:f2"
MOUNTS = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("tmpfs", "/run", "tmpfs"),
    ("tmpfs", "/tmp", "tmpfs"),
    ("tmpfs", "/dev/shm", "tmpfs"),
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAST_WORDS_S = 10.0  # how long the output of a command may come after its end


def main() -> None:
    """Does not return: the kernel panics when process 1 ends, and the machine with it."""
    for source, target, kind in MOUNTS:
        Path(target).mkdir(parents=True, exist_ok=True)
        run("mount", "-t", kind, source, target)
    # A distribution that runs systemd mounts it; DPDK looks it up in /proc/mounts.
    Path("/dev/hugepages").mkdir()
    run("mount", "-t", "hugetlbfs", "hugetlbfs", "/dev/hugepages")
    if agent := os.fork():
        while os.wait()[0] != agent:  # orphans are process 1's to reap; the agent's children are the agent's
            pass
        return
    run("modprobe", "virtio_net")
    addresses = Path("/sys/class/net").glob("*/address")
    name = next(path.parent.name for path in addresses if path.read_text().strip() == MAC)
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/24", "dev", name)
    run("ip", "link", "set", name, "up")
    listener = socket.create_server((ADDRESS, PORT), backlog=64)
    print("agent: ready", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def run(*command: str) -> None:
    """A step of the start."""
    done = subprocess.run(command, env={"PATH": PATH}, check=False)
    if done.returncode:
        print(f"agent: {' '.join(command)} ended with {done.returncode}", flush=True)


def serve(connection: socket.socket) -> None:
    """Run the command that a connection asks for, and tell how it goes."""
    telling = threading.Lock()

    def tell(**what: Any) -> None:
        with telling, contextlib.suppress(OSError):
            connection.sendall(json.dumps(what).encode() + b"\n")

    with connection, connection.makefile("r") as requests:
        request = json.loads(requests.readline())
        if "connect" in request:
            relay(connection, request["connect"])
            return
        try:
            process = subprocess.Popen(
                request["argv"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"},
                cwd="/tmp",
                start_new_session=True,
            )
        except OSError as problem:
            tell(err=f"{request['argv'][0]}: {problem}\n")
            tell(exit=127)
            return
        threading.Thread(target=feed, args=(process.stdin, request["input"]), daemon=True).start()
        threading.Thread(target=follow, args=(process, tell), daemon=True).start()
        with contextlib.suppress(OSError, ValueError):
            for line in requests:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(json.loads(line)["signal"])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def relay(connection: socket.socket, path: str) -> None:
    """Be a wire between the connection and a socket in the file system, until either side ends it."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    with socket.socket(socket.AF_UNIX) as other:
        with contextlib.suppress(OSError):
            other.connect(path)
            connection.sendall(b"\n")  # nothing is sent before that: the buffer of requests has taken it
        back = threading.Thread(target=carry, args=(other, connection), daemon=True)
        back.start()
        carry(connection, other)
        back.join()


def feed(stdin: IO[bytes] | None, text: str) -> None:
    """Give a command its standard input."""
    assert stdin is not None
    with contextlib.suppress(OSError), stdin:
        stdin.write(text.encode())


def follow(process: subprocess.Popen[bytes], tell: Any) -> None:
    """Pass on what a command says, and how it ended."""

    def pump(stream: IO[bytes] | None, name: str) -> None:
        assert stream is not None
        for line in stream:
            tell(**{name: line.decode(errors="replace")})

    pumps = [
        threading.Thread(target=pump, args=args, daemon=True)
        for args in ((process.stdout, "out"), (process.stderr, "err"))
    ]
    for one in pumps:
        one.start()
    code = process.wait()
    for one in pumps:
        one.join(LAST_WORDS_S)  # what it left behind may keep the pipe open
    tell(exit=code)


if __name__ == "__main__":
    try:
        main()
    except BaseException as problem:
        print(f"agent: {problem!r}", file=sys.stderr, flush=True)
        raise
