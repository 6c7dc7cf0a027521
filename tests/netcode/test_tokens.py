# SPDX-License-Identifier: BSD-3-Clause
"""Connect tokens that the gateway makes: by its control API and from the shell."""

from __future__ import annotations

import base64
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.issuing.gateway import Api, token_command
from tests.netcode.gateway import KEY, PROTOCOL, NetcodeGate, configuration, key_file
from tests.netcode.model import Client, Kind, Token, open_private
from tests.ports import free_port

PATH = "/v1/netcode/tokens"
WAIT_S = 60


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetcodeGate]:
    directory = tmp_path_factory.mktemp("tokens")
    with NetcodeGate(configuration(directory), directory) as gate:
        yield gate


def made(gate: NetcodeGate, **wanted: Any) -> Token:
    answer = Api(gate)("POST", PATH, {"client_id": 7} | wanted)
    assert answer.status == 201, answer
    assert answer.headers["cache-control"] == "no-store"
    return Token.read(base64.b64decode(answer.body["token"], validate=True))


def gets_in(gate: NetcodeGate, token: Token) -> None:
    with Client(token, ("127.0.0.1", gate.port)) as client:
        client.connect()
        client.send(Kind.DISCONNECT)
        client.until(lambda: gate.metrics().value("pollgate_sessions", state="connected") == 0)


def test_a_token_lets_its_client_in(gate: NetcodeGate) -> None:
    gets_in(gate, made(gate))


def test_a_token_says_what_was_asked_for(gate: NetcodeGate) -> None:
    user_data = bytes(range(256))
    token = made(
        gate,
        client_id=2**64 - 1,
        ttl=100,
        timeout=-1,
        user_data=base64.b64encode(user_data).decode(),
        addresses=["203.0.113.9:1", "[2001:db8::9]:65535"],
    )
    assert token.protocol_id == PROTOCOL
    assert token.expires_s - token.created_s == 100
    assert (token.timeout_s, token.servers) == (-1, ("203.0.113.9:1", "[2001:db8::9]:65535"))
    plain = open_private(KEY, token)
    assert struct.unpack_from("<QiI", plain) == (2**64 - 1, -1, 2)
    assert token.to_server + token.to_client + user_data in plain


def test_no_two_tokens_have_the_same_keys(gate: NetcodeGate) -> None:
    tokens = [made(gate) for _ in range(5)]
    assert len({token.nonce for token in tokens}) == 5
    assert len({key for token in tokens for key in (token.to_server, token.to_client)}) == 10


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "client_id: missing"),
        ({"client_id": -1}, "client_id: allowed is a whole number from 0 to 18446744073709551615"),
        ({"client_id": 2**64}, "client_id: allowed is a whole number from 0"),
        ({"client_id": 1, "ttl": 0}, "ttl: allowed is a whole number from 1"),
        ({"client_id": 1, "timeout": 0}, "timeout: allowed is a whole number from 1 to 86400, or -1: never"),
        ({"client_id": 1, "timeout": -2}, "timeout: allowed is a whole number from -1"),
        ({"client_id": 1, "user_data": "?"}, "user_data: not base64"),
        ({"client_id": 1, "user_data": base64.b64encode(bytes(257)).decode()}, "257 bytes; at most 256"),
        ({"client_id": 1, "addresses": ["game.example:1"]}, "a connect token has addresses and no names"),
        ({"client_id": 1, "addresses": ["10.0.0.1"]}, "allowed: host:port"),
        ({"client_id": 1, "addresses": ["10.0.0.1:1"] * 33}, "addresses: allowed is"),
        ({"client_id": 1, "player_id": 1}, "player_id: no such field"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    gate: NetcodeGate, body: dict[str, Any], complaint: str
) -> None:
    answer = Api(gate)("POST", PATH, body)
    assert answer.status == 400
    assert complaint in answer.error


def test_there_are_no_sessions_to_ask_for(gate: NetcodeGate) -> None:
    api = Api(gate)
    assert api("POST", "/v1/sessions", {"player_id": 1, "ttl": 1}).status == 404
    assert list(api("GET", "/v1/openapi.json").body["paths"]) == ["/v1/stats", "/v1/stats/stream", PATH]


def test_from_the_shell_a_token_goes_into_a_file_that_only_its_owner_can_read(
    gate: NetcodeGate, tmp_path: Path
) -> None:
    out, user_data = tmp_path / "connect.token", tmp_path / "user.data"
    user_data.write_bytes(b"of the studio")
    said = token_command(
        gate, "connect", "--client", "9", "--user-data", str(user_data), "--out", str(out), "--json"
    )
    assert said.returncode == 0, said.stderr
    assert "token" not in said.stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    token = Token.read(out.read_bytes())
    assert open_private(KEY, token).rstrip(b"\0").endswith(b"of the studio")
    gets_in(gate, token)


def test_from_the_shell_a_token_is_printed(gate: NetcodeGate) -> None:
    said = token_command(gate, "connect", "--client", "9", "--address", gate.server)
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("token"))
    assert Token.read(base64.b64decode(line.split()[1])).servers == (gate.server,)


def test_both_profiles_are_served_at_ports_of_their_own(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config["listen"].append({"port": free_port(), "profile": "session"})
    with NetcodeGate(config, tmp_path) as both:
        gets_in(both, made(both))
        assert Api(both).issue(7)["address"] == f"127.0.0.1:{config['listen'][1]['port']}"


@pytest.mark.parametrize(
    ("text", "mode", "code", "complaint"),
    [
        (KEY.hex(), 0o644, 78, "has mode 0644"),
        ("00" * 31, 0o600, 78, "has no key: 64 hexadecimal digits"),
        ("z" * 64, 0o600, 78, "has no key"),
        ("", 0o600, 78, "has no key"),
    ],
)
def test_a_key_that_is_none_or_others_can_read_ends_the_start(
    tmp_path: Path, text: str, mode: int, code: int, complaint: str
) -> None:
    config = configuration(tmp_path)
    config["netcode"]["private_key_file"] = key_file(tmp_path, text, mode)
    with NetcodeGate(config, tmp_path, wait_ready=False) as own:
        assert own.process.wait(WAIT_S) == code
        said = own.stderr
    assert complaint in said
    assert "gate.yaml:" in said
    assert "netcode.private_key_file" in said


def test_a_key_file_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config["netcode"]["private_key_file"] = str(tmp_path / "nowhere")
    with NetcodeGate(config, tmp_path, wait_ready=False) as own:
        assert own.process.wait(WAIT_S) == 69
        assert "nowhere cannot be read: No such file or directory" in own.stderr


def test_a_key_may_be_in_base64(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config["netcode"]["private_key_file"] = key_file(tmp_path, base64.b64encode(KEY).decode())
    with NetcodeGate(config, tmp_path) as own:
        gets_in(own, own.token())
