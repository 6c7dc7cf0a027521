# SPDX-License-Identifier: BSD-3-Clause
"""The metrics server as its clients meet it: real sockets on loopback, honest and hostile ones."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from pyshim.errors import ExitCode, UnavailableError
from pyshim.management.connections import OPEN_CONNECTIONS_MAX as CONNECTIONS_MAX
from pyshim.management.health import HEALTHY_AGE_S, READY_AGE_S
from pyshim.management.server import READERS_MAX
from pyshim.stats import Snapshot
from tests.metrics.served import MetricsServer
from tests.metrics.synthetic import snapshot, with_workers, worker

LOOPBACK = ("127.0.0.1", 0)


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with MetricsServer(LOOPBACK, snapshot) as running:
        yield running


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], bool]:
    """Whether nothing was written: neither a line nor a record, which is a line where pytest takes none."""
    return lambda: capfd.readouterr() == ("", "") and not caplog.records


def address(server: MetricsServer) -> tuple[str, int]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def ask(
    server: MetricsServer, path: str, method: str = "GET", accept: str = "*/*"
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection(*address(server), timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def test_metrics_are_served_in_the_text_format(server: MetricsServer) -> None:
    status, headers, body = ask(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'pollgate_messages_total{type="move",worker="0"} 56.0' in body


def test_a_client_that_asks_for_openmetrics_gets_it(server: MetricsServer) -> None:
    _, headers, body = ask(server, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_query_arguments_are_ignored(server: MetricsServer) -> None:
    assert ask(server, "/metrics?x=1")[0] == 200


def test_healthz_says_that_the_process_lives(server: MetricsServer) -> None:
    assert ask(server, "/healthz")[::2] == (200, "ok\n")


def test_readyz_follows_the_workers() -> None:
    running = True
    with MetricsServer(LOOPBACK, lambda: snapshot(running=running)) as server:
        assert ask(server, "/readyz")[0] == 200
        running = False
        status, _, body = ask(server, "/readyz")
    assert status == 503
    assert "not running" in body


def test_what_is_old_is_not_passed_on_as_health() -> None:
    age_s = 0.1
    with MetricsServer(
        LOOPBACK, lambda: dataclasses.replace(snapshot(), supervisor_age_s=age_s), lambda: age_s
    ) as server:
        assert (ask(server, "/healthz")[0], ask(server, "/readyz")[0]) == (200, 200)
        age_s = READY_AGE_S + 1
        assert (ask(server, "/healthz")[0], ask(server, "/readyz")[0]) == (200, 503)
        age_s = HEALTHY_AGE_S + 1
        status, _, body = ask(server, "/healthz")
    assert (status, body) == (503, "the supervisor's loop has stood still for 11.0 s\n")


def test_a_worker_without_a_heartbeat_is_not_ready_whatever_the_supervisor_believes() -> None:
    dead = dataclasses.replace(worker(1, 7), heartbeat_age_s=READY_AGE_S + 1)
    with MetricsServer(LOOPBACK, lambda: with_workers(snapshot(), worker(0, 7), dead)) as server:
        status, _, body = ask(server, "/readyz")
    assert (status, body) == (503, "no heartbeat of worker 1 for more than 2 s\n")


def test_metrics_are_up_while_the_workers_are_down() -> None:
    with MetricsServer(LOOPBACK, lambda: snapshot(running=False)) as server:
        assert ask(server, "/metrics")[0] == 200
        assert ask(server, "/healthz")[0] == 200


def test_another_path_is_not_found_and_the_answer_says_what_there_is(server: MetricsServer) -> None:
    status, _, body = ask(server, "/")
    assert status == 404
    assert "/metrics" in body


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nothing"])
def test_head_answers_as_get_without_a_body(server: MetricsServer, path: str) -> None:
    get, head = ask(server, path), ask(server, path, "HEAD")
    assert head[0] == get[0]
    assert head[1]["Content-Length"] == get[1]["Content-Length"] == str(len(get[2]))
    assert head[2] == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(server: MetricsServer, method: str) -> None:
    status, headers, _ = ask(server, "/metrics", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_one_scrape_reads_one_snapshot() -> None:
    taken: list[Snapshot] = []

    def source() -> Snapshot:
        taken.append(snapshot())
        return taken[-1]

    with MetricsServer(LOOPBACK, source) as server:
        ask(server, "/healthz")
        assert len(taken) == 0
        ask(server, "/metrics")
        assert len(taken) == 1


def test_a_source_that_fails_is_an_error_for_the_scraper_and_the_server_goes_on() -> None:
    def broken() -> Snapshot:
        raise ValueError("no page")

    with MetricsServer(LOOPBACK, broken) as server:
        assert ask(server, "/metrics")[0] == 500
        assert ask(server, "/healthz")[0] == 200


def test_port_0_is_any_free_one_and_the_url_names_it(server: MetricsServer) -> None:
    assert server.url == f"http://127.0.0.1:{address(server)[1]}/metrics"
    assert address(server)[1] != 0


def test_an_ipv6_address_is_in_brackets_in_the_url() -> None:
    with MetricsServer(("::1", 0), snapshot) as server:
        assert server.url.startswith("http://[::1]:")
        assert ask(server, "/healthz")[0] == 200


def test_a_port_in_use_is_named_with_what_to_do(server: MetricsServer) -> None:
    host, port = address(server)
    with pytest.raises(UnavailableError) as failure:
        MetricsServer((host, port), snapshot).start()
    assert str(failure.value) == (
        f"metrics.listen: 127.0.0.1:{port} is in use by another process; "
        "name another port, port 0 takes any free one"
    )
    assert failure.value.exit_code == ExitCode.UNAVAILABLE


def test_an_address_of_another_host_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        UnavailableError, match=r"^metrics\.listen: 192\.0\.2\.1:0 is not an address of this host"
    ):
        MetricsServer(("192.0.2.1", 0), snapshot).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_port_that_this_user_may_not_bind_is_refused_in_one_sentence() -> None:
    code = """
import os, sys
from pathlib import Path
from pyshim.errors import UnavailableError
from pyshim.management.server import ManagementServer
Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("1024")
os.setresuid(65534, 65534, 65534)
try:
    ManagementServer(lambda: None).open_figures(("127.0.0.1", 81))
except UnavailableError as error:
    print(error)
"""
    # In a network namespace of its own, where the limit of unprivileged ports is ours to set.
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no network namespace here: {done.stderr.strip()}")
    assert done.stdout.startswith("metrics.listen: 127.0.0.1:81 is not permitted for this user"), done.stderr


def test_a_closed_server_frees_its_port_at_once() -> None:
    with MetricsServer(LOOPBACK, snapshot) as first:
        place = address(first)
        ask(first, "/metrics")
    with MetricsServer(place, snapshot) as second:
        assert ask(second, "/healthz")[0] == 200


def test_starting_and_closing_twice_changes_nothing() -> None:
    server = MetricsServer(LOOPBACK, snapshot)
    with server.start() as same:
        assert same is server
    server.close()
    server.close()


def test_clients_that_never_finish_their_request_do_not_block_a_scrape(server: MetricsServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * CONNECTIONS_MAX):
            slow = stack.enter_context(socket.create_connection(address(server), timeout=60))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert ask(server, "/metrics")[0] == 200


def test_the_oldest_connection_gives_way(server: MetricsServer) -> None:
    with contextlib.ExitStack() as stack:
        oldest = stack.enter_context(socket.create_connection(address(server), timeout=30))
        oldest.sendall(b"GET ")
        for _ in range(CONNECTIONS_MAX):
            stack.enter_context(socket.create_connection(address(server), timeout=30)).sendall(b"GET ")
        assert oldest.recv(1) == b""


def test_however_many_ask_at_once_so_many_threads_read_and_all_are_answered() -> None:
    inside, go_on = threading.Semaphore(0), threading.Event()

    def source() -> Snapshot:
        inside.release()
        assert go_on.wait(60)
        return snapshot()

    with MetricsServer(LOOPBACK, source) as server, contextlib.ExitStack() as stack:
        scrapes = []
        for _ in range(2 * READERS_MAX):
            scrapes.append(stack.enter_context(socket.create_connection(address(server), timeout=60)))
            scrapes[-1].sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        for _ in range(READERS_MAX):
            assert inside.acquire(timeout=60)
        assert ask(server, "/healthz")[0] == 200  # behind them all: each was seen by now
        serving = [thread for thread in threading.enumerate() if thread.name.startswith("management")]
        assert len(serving) == 1 + READERS_MAX
        assert not inside.acquire(blocking=False)
        go_on.set()
        assert all(scrape.recv(100).startswith(b"HTTP/1.1 200 ") for scrape in scrapes)


def test_a_request_in_hand_is_not_cut_to_make_room() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def source() -> Snapshot:
        asked.set()
        assert go_on.wait(30)
        return snapshot()

    with MetricsServer(LOOPBACK, source) as server, contextlib.ExitStack() as stack:
        scrape = stack.enter_context(socket.create_connection(address(server), timeout=30))
        scrape.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert asked.wait(30)
        others = [
            stack.enter_context(socket.create_connection(address(server), timeout=30))
            for _ in range(2 * CONNECTIONS_MAX)
        ]
        assert others[0].recv(1) == b""  # older than all but the scrape
        go_on.set()
        assert scrape.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_request_that_trickles_in_is_cut_at_its_deadline(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyshim.management.connections.REQUEST_LIMIT_S", 0.2)
    with socket.create_connection(address(server), timeout=60) as slow:
        ended = threading.Event()

        def trickle() -> None:
            # A byte far more often than the timeout: only a deadline for the whole request ends this.
            with contextlib.suppress(OSError):
                while not ended.wait(0.02):
                    slow.sendall(b"x")

        sender = threading.Thread(target=trickle, daemon=True)
        sender.start()
        try:
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(1) == b""
        finally:
            ended.set()
            sender.join()


def test_close_ends_connections_that_are_open() -> None:
    with MetricsServer(LOOPBACK, snapshot) as server:
        held = socket.create_connection(address(server), timeout=60)
        held.sendall(b"GET ")
        ask(server, "/healthz")  # accepted in order: the held one is being served by now
    with held:
        assert held.recv(1) == b""


def test_a_request_writes_nothing_to_the_log(server: MetricsServer, quiet: Callable[[], bool]) -> None:
    ask(server, "/metrics")
    with socket.create_connection(address(server), timeout=60) as rude:
        rude.sendall(b"\x16\x03\x01 not http at all\r\n\r\n")
        assert rude.recv(4096)
    assert quiet()


@pytest.mark.parametrize("path", ["/healthz", "/v1/stats/stream"])
def test_what_is_no_http_behind_a_request_ends_the_connection_without_a_word(
    server: MetricsServer, quiet: Callable[[], bool], path: str
) -> None:
    with socket.create_connection(address(server), timeout=60) as rude:
        rude.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        assert rude.recv(4096)
        rude.sendall(b"not http at all\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while rude.recv(4096):
                pass
    ask(server, "/metrics")
    assert quiet()


def test_a_body_that_is_none_after_its_answer_ends_the_connection_without_a_word(
    server: MetricsServer, quiet: Callable[[], bool]
) -> None:
    with socket.create_connection(address(server), timeout=60) as rude:
        rude.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert rude.recv(4096)
        rude.sendall(b"zz\r\n")
        with contextlib.suppress(ConnectionResetError):
            while rude.recv(4096):
                pass
    ask(server, "/metrics")
    assert quiet()


def test_a_body_that_is_none_is_answered_once_and_without_a_word(
    server: MetricsServer, quiet: Callable[[], bool]
) -> None:
    with socket.create_connection(address(server), timeout=60) as rude:
        rude.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while more := rude.recv(4096):
                answer += more
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    ask(server, "/metrics")
    assert quiet()


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/v1/stats"])
def test_a_client_that_has_said_all_gets_its_answer(server: MetricsServer, path: str) -> None:
    with socket.create_connection(address(server), timeout=60) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while more := client.recv(65536):
            answer += more
    assert b" 200 OK\r\n" in answer.partition(b"\r\n")[0] + b"\r\n"
    assert answer.partition(b"\r\n\r\n")[2]


def test_a_format_that_cannot_be_read_gets_the_text_format(
    server: MetricsServer, quiet: Callable[[], bool]
) -> None:
    status, headers, _ = ask(server, "/metrics", accept="text/plain; version=x")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert quiet()
