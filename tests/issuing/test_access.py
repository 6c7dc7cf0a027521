# SPDX-License-Identifier: BSD-3-Clause
"""Who gets in: the unix socket's permissions, tokens, TLS; and what keeps a gateway from starting."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.errors import ExitCode
from tests.gate import Gate
from tests.issuing.gateway import TOKEN, Answer, Api, ask, certificate, configuration, token_file
from tests.ports import free_port

RIGHT = {"authorization": f"Bearer {TOKEN}"}
WRONG = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer"},
    {"authorization": "Bearer "},
    {"authorization": f"Bearer {TOKEN[:-1]}"},
    {"authorization": f"Bearer {TOKEN}x"},
    {"authorization": f"Bearer {TOKEN.upper()}"},
    {"authorization": f"Basic {TOKEN}"},
    {"authorization": TOKEN},
    {"authorization": "Bearer \xe4\xf6"},
]


def test_the_socket_is_its_owners_alone_and_is_gone_afterwards(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        path = tmp_path / "control.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        gate.wait_for_line(f"sessions are issued at unix:{path}")
        assert gate.stop() == 0
        assert not path.exists()


def test_the_default_socket_is_named_by_the_file_prefix(tmp_path: Path) -> None:
    config = configuration(tmp_path, listen=None) | {
        "engine": "dpdk",
        "eal": {"file_prefix": f"test-{os.getpid()}", "memory_mib": 128},
        "ports": [{"name": "game0", "device": "net_null0", "address": ["10.0.0.1/24"]}],
    }
    with Gate(config, tmp_path) as gate:
        path = f"/run/pollgate/test-{os.getpid()}.sock"
        gate.wait_for_line(f"sessions are issued at unix:{path}")
        assert Path(path).is_socket()
        assert gate.stop() == 0
        assert not Path(path).exists()


def test_a_socket_that_a_dead_gateway_left_is_replaced(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        gate.process.kill()
        gate.wait()
    assert (tmp_path / "control.sock").is_socket()
    with Gate(configuration(tmp_path), tmp_path) as gate:
        assert Api(gate).issue(1)


def test_a_token_is_asked_for_at_a_unix_socket_too_when_there_is_one(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path, token_file=token_file(tmp_path)), tmp_path) as gate:
        api = Api(gate)
        assert api("GET", "/v1/sessions").status == 401
        assert api("GET", "/v1/sessions", **RIGHT).status == 200


# ---------------------------------------------------------------- TCP


@pytest.fixture(scope="module")
def tcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    directory = tmp_path_factory.mktemp("tcp")
    config = configuration(directory, listen="127.0.0.1:0", token_file=token_file(directory))
    with Gate(config, directory) as gate:
        yield int(gate.wait_for_line(r"sessions are issued at 127\.0\.0\.1:\d+$").rpartition(":")[2])


def ask_tcp(port: int, path: str, headers: dict[str, str], method: str = "GET") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        return ask(connection, method, path, None, headers)
    finally:
        connection.close()


def test_the_right_token_gets_in(tcp: int) -> None:
    assert ask_tcp(tcp, "/v1/sessions", RIGHT).status == 200
    assert ask_tcp(tcp, "/v1/sessions", {"authorization": f"bearer  {TOKEN}"}).status == 200


@pytest.mark.parametrize("headers", WRONG)
def test_a_wrong_token_is_told_nothing_but_that(tcp: int, headers: dict[str, str]) -> None:
    for path in ("/v1/sessions", "/v1/sessions/1", "/v1/openapi.json", "/nowhere"):
        answer = ask_tcp(tcp, path, headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.error


def test_wrong_tokens_in_a_row_are_slowed_and_do_not_slow_the_right_one(tcp: int) -> None:
    statuses = [ask_tcp(tcp, "/v1/sessions", {}).status for _ in range(300)]
    assert 429 in statuses
    assert set(statuses) <= {401, 429}
    assert ask_tcp(tcp, "/v1/sessions", RIGHT).status == 200


# ---------------------------------------------------------------- TLS


def test_over_tls_the_same_is_served_and_in_the_clear_nothing(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    config = configuration(tmp_path, listen="127.0.0.1:0", token_file=token_file(tmp_path), tls=tls)
    with Gate(config, tmp_path) as gate:
        told = gate.wait_for_line(r"sessions are issued at 127\.0\.0\.1:\d+ with TLS$")
        port = int(told.split()[-3].rpartition(":")[2])
        trusted = ssl.create_default_context(cafile=tls["certificate"])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=trusted)
        issued = ask(connection, "POST", "/v1/sessions", {"player_id": 1, "ttl": 9}, RIGHT)
        assert issued.status == 201
        connection.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            ask_tcp(port, "/v1/sessions", RIGHT)
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection("127.0.0.1", port, timeout=60).request("GET", "/")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match=r"TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):  # noqa: PT011 - one of several, by OpenSSL's version
            http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=old).request("GET", "/")
        assert gate.stop() == 0
        assert "Traceback" not in gate.stderr


# ---------------------------------------------------------------- what keeps it from starting


def refusal(tmp_path: Path, **control: Any) -> tuple[int, str]:
    """Exit code and standard error of a gateway that does not start."""
    with Gate(configuration(tmp_path, **control), tmp_path, wait_ready=False) as gate:
        return gate.wait(), gate.stderr


@pytest.mark.parametrize(
    ("text", "mode", "code", "sentence"),
    [
        (TOKEN, 0o644, ExitCode.CONFIG, "has mode 0644"),
        (TOKEN, 0o620, ExitCode.CONFIG, "has mode 0620"),
        ("short", 0o600, ExitCode.CONFIG, "has no token"),
        ("", 0o600, ExitCode.CONFIG, "has no token"),
        ("x" * 600, 0o600, ExitCode.CONFIG, "has no token"),
        ("two words that are long enough", 0o600, ExitCode.CONFIG, "has no token"),
        ("ein-schönes-langes-wort", 0o600, ExitCode.CONFIG, "has no token"),
    ],
)
def test_a_token_file_that_is_none_is_refused(
    tmp_path: Path, text: str, mode: int, code: ExitCode, sentence: str
) -> None:
    found, told = refusal(tmp_path, token_file=token_file(tmp_path, text, mode))
    assert found == code
    assert "control.token_file: " in told
    assert sentence in told
    assert not text or text not in told


def test_a_token_file_that_only_the_group_may_read_too_is_taken(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path, token_file=token_file(tmp_path, mode=0o640)), tmp_path) as gate:
        assert Api(gate)("GET", "/v1/sessions", **RIGHT).status == 200


def test_a_token_file_that_is_not_there_is_69(tmp_path: Path) -> None:
    code, told = refusal(tmp_path, token_file=str(tmp_path / "none"))
    assert code == ExitCode.UNAVAILABLE
    assert "none cannot be read: No such file" in told


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    good, other = certificate(tmp_path), certificate(tmp_path, "other")
    text = tmp_path / "text.pem"
    text.write_text("hello\n")
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(
        ["openssl", "ec", "-in", good["key"], "-out", encrypted, "-aes128", "-passout", "pass:secret"],
        check=True,
        capture_output=True,
    )
    place = {"listen": "127.0.0.1:0", "token_file": token_file(tmp_path)}
    for tls, code in (
        ({"certificate": str(tmp_path / "none"), "key": good["key"]}, ExitCode.UNAVAILABLE),
        ({"certificate": good["certificate"], "key": other["key"]}, ExitCode.CONFIG),
        ({"certificate": str(text), "key": good["key"]}, ExitCode.CONFIG),
        ({"certificate": good["certificate"], "key": str(encrypted)}, ExitCode.CONFIG),
    ):
        found, told = refusal(tmp_path, **place, tls=tls)
        assert found == code, told
        assert "control.tls" in told
        assert "Traceback" not in told


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    Path(tls["key"]).chmod(0o644)
    place = {"listen": "127.0.0.1:0", "token_file": token_file(tmp_path)}
    found, told = refusal(tmp_path, **place, tls=tls)
    assert found == ExitCode.CONFIG
    assert "control.tls.key" in told
    assert "mode 0644" in told


def test_check_finds_what_would_keep_it_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"

    def check(mode: int) -> subprocess.CompletedProcess[str]:
        config = configuration(tmp_path, token_file=token_file(tmp_path, mode=mode))
        path.write_text(json.dumps(config, indent=1))
        command = [sys.executable, "-P", "-m", "pyshim", "check", "-c", str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert check(0o600).returncode == 0
    refused = check(0o644)
    assert refused.returncode == ExitCode.CONFIG
    assert re.match(rf"{path}:\d+: control\.token_file: ", refused.stderr)


def test_an_address_that_is_taken_is_69(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        code, told = refusal(tmp_path, listen=address, token_file=token_file(tmp_path))
    assert code == ExitCode.UNAVAILABLE
    assert f"control.listen: {address} cannot be listened on: Address already in use" in told


def test_a_socket_of_a_gateway_that_lives_is_not_taken_from_it(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        second = tmp_path / "second"
        second.mkdir()
        code, told = refusal(second, listen=f"unix:{tmp_path}/control.sock")
        assert code == ExitCode.UNAVAILABLE
        assert "Address already in use" in told
        assert Api(gate).issue(1)


def test_a_file_in_the_place_of_the_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("precious")
    code, told = refusal(tmp_path)
    assert code == ExitCode.UNAVAILABLE
    assert "control.listen" in told
    assert (tmp_path / "control.sock").read_text() == "precious"


def test_a_gateway_of_profile_plain_issues_nothing(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config["listen"] = [{"port": free_port()}]
    del config["control"]
    with Gate(config, tmp_path) as gate:
        assert gate.stop() == 0
        assert "sessions are issued" not in gate.stderr
