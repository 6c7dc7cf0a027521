# SPDX-License-Identifier: BSD-3-Clause
"""What an engine of sockets cannot do here ends with one sentence and 69, and nobody else is disturbed."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.refusals import UNAVAILABLE, assert_says, refused
from tests.engines.engines import SOCKETS, everything
from tests.network.namespace import GATE4, GATE6, PLAYERS4, Wire
from tests.network.players import PORT, Crowd, all_play, serving

OTHER_ENGINE = {"epoll": "io_uring", "io_uring": "epoll"}
FORBID = (sys.executable, "-P", str(Path(__file__).with_name("forbid_io_uring.py")))
# As on a host that has reserved none, whatever this one has.
NO_HUGE_PAGES = """
for nodes in /sys/kernel/mm/hugepages /sys/devices/system/node/node*/hugepages; do
    [ -d "$nodes" ] || continue
    mount -t tmpfs none "$nodes" && mkdir "$nodes/hugepages-2048kB" || exit
    echo 0 | tee "$nodes/hugepages-2048kB/nr_hugepages" >"$nodes/hugepages-2048kB/free_hugepages"
done
exec "$@"
"""


def sentence(wire: Wire, settings: dict[str, Any], directory: Path, *prefix: str) -> str:
    return refused(settings, directory, UNAVAILABLE, prefix=(*wire.gate.prefix, *prefix))


@SOCKETS
class TestAddressesAndPorts:
    @pytest.mark.parametrize("stranger", [f"{PLAYERS4}/24", "2001:db8::7/64"], ids=["ipv4", "ipv6"])
    def test_an_address_of_another_host_is_refused_with_what_to_do(
        self, wire: Wire, engine: str, stranger: str, tmp_path: Path
    ) -> None:
        settings = everything(engine)
        settings["ports"][0]["address"].append(stranger)
        said = sentence(wire, settings, tmp_path)
        assert_says(said, "port game0", f"{stranger.partition('/')[0]} is not an address of this host")
        assert f"ip address add {stranger} dev" in said

    @pytest.mark.parametrize(("own", "shared"), [(GATE4, False), (GATE6, True)], ids=["ipv4", "ipv6, shared"])
    def test_a_udp_port_of_another_process_is_refused_with_how_to_find_it(
        self, wire: Wire, engine: str, tmp_path: Path, *, own: str, shared: bool
    ) -> None:
        kind = socket.AF_INET6 if ":" in own else socket.AF_INET
        with wire.gate.call(lambda: socket.socket(kind, socket.SOCK_DGRAM)) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
            other.bind((own, PORT))
            said = sentence(wire, everything(engine), tmp_path)
        assert_says(said, "port game0", f"UDP port {PORT} of {own} is in use", f"ss -lunp 'sport = :{PORT}'")

    def test_a_second_one_is_refused_and_the_first_goes_on(
        self, wire: Wire, engine: str, crowd: Crowd, tmp_path: Path
    ) -> None:
        (tmp_path / "second").mkdir()
        with serving(wire, everything(engine), tmp_path):
            players = crowd.players(50)
            all_play(players)
            said = sentence(wire, everything(OTHER_ENGINE[engine]), tmp_path / "second")
            assert_says(said, f"UDP port {PORT} of {GATE4} is in use")
            all_play(players)

    def test_a_privileged_udp_port_is_refused_with_the_capability(
        self, wire: Wire, engine: str, tmp_path: Path
    ) -> None:
        settings = everything(engine, listen=[{"port": 700}])
        without = ("setpriv", "--inh-caps=-net_bind_service", "--bounding-set=-net_bind_service", "--")
        said = sentence(wire, settings, tmp_path, *without)
        assert_says(said, "port game0", "UDP port 700 is privileged", "CAP_NET_BIND_SERVICE")
        with serving(wire, settings, tmp_path):  # with it, there is nothing to say
            pass


@pytest.mark.parametrize("engine", ["io_uring"], indirect=True, scope="module")
class TestIoUring:
    @pytest.mark.parametrize(
        ("number", "reason"),
        [(errno.EPERM, "io_uring is forbidden here"), (errno.ENOSYS, "this kernel has no io_uring")],
        ids=["EPERM", "ENOSYS"],
    )
    def test_where_a_profile_forbids_it_epoll_is_offered(
        self, wire: Wire, number: int, reason: str, tmp_path: Path
    ) -> None:
        said = sentence(wire, everything("io_uring"), tmp_path, *FORBID, str(number))
        assert_says(said, reason, "use engine: epoll")

    def test_where_a_profile_forbids_it_epoll_serves(self, wire: Wire, crowd: Crowd, tmp_path: Path) -> None:
        with serving(wire, everything("epoll"), tmp_path, prefix=(*FORBID, str(errno.EPERM))):
            all_play(crowd.players(5))

    def test_where_the_host_has_disabled_it_the_sysctl_is_named(
        self, wire: Wire, disabled: tuple[str, ...], tmp_path: Path
    ) -> None:
        said = sentence(wire, everything("io_uring"), tmp_path, *disabled)
        assert_says(said, "kernel.io_uring_disabled is 2", "use engine: epoll", "sysctl -w")

    def test_huge_pages_that_are_not_there_are_refused_at_their_line(
        self, wire: Wire, tmp_path: Path
    ) -> None:
        settings = everything("io_uring", eal={"huge_pages": True})
        said = sentence(wire, settings, tmp_path, "sh", "-c", NO_HUGE_PAGES, "sh")
        assert_says(said, "gate.yaml:", "eal.huge_pages", "node 0 has 0 free 2 MB pages", "huge_pages: false")

    def test_huge_pages_that_may_be_missing_are(self, wire: Wire, crowd: Crowd, tmp_path: Path) -> None:
        settings = everything("io_uring", eal={"huge_pages": "auto"})
        with serving(wire, settings, tmp_path):
            all_play(crowd.players(5))


@pytest.fixture
def disabled(tmp_path: Path) -> tuple[str, ...]:
    """A prefix: that process reads that io_uring is disabled, and finds it so; the host stays as it is."""
    value = tmp_path / "io_uring_disabled"
    value.write_text("2\n")
    mount = f'mount --bind "{value}" /proc/sys/kernel/io_uring_disabled && exec "$@"'
    return ("sh", "-c", mount, "sh", *FORBID, str(errno.EPERM))
