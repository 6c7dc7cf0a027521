# SPDX-License-Identifier: BSD-3-Clause
"""A gateway on this machine is found whatever other addresses the machine has: all that resolves a name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.system.namespaces import with_mount
from tests.load.servers import Server
from tests.network.namespace import Namespace, why_not
from tests.session.model_server import ModelServer

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

# The loopback address that is played to, and the only other address of the host: of the other family.
HOSTS = [("127.0.0.1", "fd00::2/64"), ("::1", "10.0.0.2/24")]
CHAT = """
import asyncio, sys
from pyshim.protocol.client import Chat, Client, Ticket

async def main():
    async with Client(Ticket.from_json(sys.stdin.read())) as game:
        await game.chat("hello", to=7)
        async for event in game.events():
            if isinstance(event, Chat):
                return

asyncio.run(main())
"""


@pytest.fixture(params=HOSTS, ids=["IPv6 elsewhere", "IPv4 elsewhere"])
def host(request: pytest.FixtureRequest) -> Iterator[tuple[Namespace, str]]:
    loopback, other = request.param
    with Namespace() as namespace:
        namespace.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        namespace.run("ip", "link", "set", "eth1", "up")
        nodad = ("nodad",) if ":" in other else ()
        namespace.run("ip", "address", "add", other, "dev", "eth0", *nodad)
        if ":" not in other:
            namespace.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
        namespace.run("ip", "link", "set", "eth0", "up")
        yield namespace, loopback


def run(host: Namespace, command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    inside = ("nsenter", f"--net={host.path}", *command)
    return subprocess.run(inside, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_the_c_client_connects(player: Path, host: tuple[Namespace, str]) -> None:
    namespace, loopback = host
    with namespace.call(lambda: ModelServer(loopback)) as server:
        command = [str(player), "--ticket", "-", "--seconds", "0.2", "--say", "hello"]
        done = run(namespace, command, server.issue_json(7))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_c_client_takes_the_address_of_a_name_that_it_can_reach(
    player: Path, host: tuple[Namespace, str], tmp_path: Path
) -> None:
    namespace, loopback = host
    hosts = tmp_path / "hosts"
    elsewhere = "192.0.2.1" if ":" in loopback else "2001:db8::1"  # the host has no route to it
    hosts.write_text(f"{elsewhere} gate.example\n{loopback} gate.example\n")
    named = with_mount("/etc/hosts", f"touch /etc/hosts && mount --bind {hosts} /etc/hosts")
    with namespace.call(lambda: ModelServer(loopback)) as server:
        ticket = json.loads(server.issue_json(7)) | {"address": f"gate.example:{server.port}"}
        command = [*named, str(player), "--ticket", "-", "--seconds", "0.2"]
        done = run(namespace, command, json.dumps(ticket))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_client_connects(host: tuple[Namespace, str]) -> None:
    namespace, loopback = host
    with namespace.call(lambda: ModelServer(loopback)) as server:
        done = run(namespace, [sys.executable, "-P", "-c", CHAT], server.issue_json(7))
    assert done.returncode == 0, done.stdout + done.stderr


def test_load_plays(host: tuple[Namespace, str]) -> None:
    namespace, loopback = host
    with namespace.call(lambda: Server(address=loopback)) as server:
        load = [sys.executable, "-P", "-m", "pyshim", "load", server.target]
        done = run(namespace, [*load, "--players", "2", "--seconds", "0.2", "--json"])
    assert done.returncode == 0, done.stdout + done.stderr
