# SPDX-License-Identifier: BSD-3-Clause
"""Profile session in a configuration: defaults that follow the profile, sentences where keys contradict."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from pyshim.config import Config, Endpoint, UnixSocket, export_schema
from pyshim.config.values import parse_control_address, parse_gateway_address
from tests.config.written import errors, load

PORTS = """\
engine: epoll
ports:
  - name: game0
    address: [127.0.0.1/8]
"""  # four lines: what a test adds starts on line 5
DEVICE = "    device: net_null0\n    address: [10.0.0.1/24]"
SESSION = PORTS + "listen: [{port: 8080, profile: session}]\n"  # and here on line 6


def listeners(*entries: dict[str, Any]) -> dict[str, Any]:
    ports = [{"name": "game0", "address": ["127.0.0.1/8"]}]
    return {"engine": "epoll", "ports": ports, "listen": list(entries)}


# ---------------------------------------------------------------- defaults by profile


def test_a_session_listener_has_limits_and_issued_sessions_by_default() -> None:
    (entry,) = load(SESSION).listen
    limits = entry.limits
    assert (entry.admission, limits.source_pps, limits.connections_pps) == ("issued", 500, 100)
    assert (limits.connections_burst, limits.session_pps, limits.session_burst) == (1000, 0, 256)


@pytest.mark.parametrize("text", [PORTS, PORTS + "listen: [{port: 1, profile: plain}]\n"])
def test_a_plain_listener_has_none_and_is_open(text: str) -> None:
    (entry,) = load(text).listen
    assert (entry.admission, entry.limits.source_pps, entry.limits.connections_pps) == ("open", 0, 0)


def test_a_limit_that_is_written_leaves_the_defaults_of_the_others() -> None:
    (entry,) = load(PORTS + "listen: [{port: 1, profile: session, limits: {source_pps: 0}}]\n").listen
    assert (entry.limits.source_pps, entry.limits.connections_pps) == (0, 100)


def test_each_listener_has_the_defaults_of_its_own_profile() -> None:
    config = load(PORTS + "listen: [{port: 1}, {port: 2, profile: session}]\n")
    assert [entry.limits.source_pps for entry in config.listen] == [0, 500]
    assert [entry.admission for entry in config.listen] == ["open", "issued"]
    assert config.issues_sessions


@pytest.mark.parametrize("text", [PORTS, SESSION, SESSION + "delivery: {compress: {chat: never}}\n"])
def test_what_was_read_survives_a_round_trip(text: str) -> None:
    config = load(text.replace("engine: epoll\n", "").replace("    address: [127.0.0.1/8]", DEVICE))
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert Config.model_validate(config.model_dump(mode="json", exclude_unset=True)) == config


def test_an_editor_is_told_the_defaults_of_each_profile() -> None:
    entry = export_schema()["$defs"]["ListenConfig"]
    for profile, connections in (("netcode", 20), ("session", 100)):
        then = entry["then"]["properties"]
        assert entry["if"]["properties"]["profile"] == {"const": profile}
        assert then["limits"]["properties"]["source_pps"]["default"] == 500
        assert then["limits"]["properties"]["connections_pps"]["default"] == connections
        assert then["admission"]["default"] == "issued"
        entry = entry["else"]
    assert entry["properties"]["admission"]["default"] == "open"
    assert "500" in export_schema()["$defs"]["LimitsConfig"]["properties"]["source_pps"]["description"]


@pytest.mark.parametrize(
    ("entry", "valid"),
    [
        ({"port": 1}, True),
        ({"port": 1, "profile": "session"}, True),
        ({"port": 1, "profile": "session", "admission": "issued"}, True),
        ({"port": 1, "admission": "open"}, True),
        ({"port": 1, "profile": "session", "admission": "open"}, False),
        ({"port": 1, "admission": "issued"}, False),
    ],
)
def test_the_schema_and_the_models_agree_about_admission(entry: dict[str, Any], valid: bool) -> None:
    data = listeners(entry)
    assert jsonschema.Draft202012Validator(export_schema()).is_valid(data) == valid
    if valid:
        Config.model_validate(data)
    else:
        with pytest.raises(ValueError, match="admission"):
            Config.model_validate(data)


# ---------------------------------------------------------------- contradictions


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("listen: [{port: 1, admission: issued}]", "listen[0].admission: profile plain has no keys that could be issued; "
         "write admission: open, or profile: session"),
        ("listen: [{port: 1, profile: session, admission: open}]", "listen[0].admission: with profile session only who "
         "was issued a key gets in; write admission: issued, or profile: plain"),
        ("listen: [{port: 1, limits: {connections_pps: 5}}]", "listen[0].limits.connections_pps: profile plain has no such "
         "limit, as it has no connections; remove it, or write profile: session"),
        ("listen: [{port: 1, limits: {session_burst: 5}}]", "listen[0].limits.session_burst: profile plain has no such "
         "limit, as it has no connections; remove it, or write profile: session"),
        ("listen: [{port: 1, profile: session, admision: issued}]", 'listen[0].admision: unknown key; did you mean "admission"?'),
        ("delivery: {flush_ms: 1}", "delivery: no entry of listen has profile: session, and plain sends no messages; "
         "remove it, or add one"),
        ("delivery: {flush_ms: -1}", "delivery: no entry of listen has profile: session, and plain sends no messages; "
         "remove it, or add one"),
        ("sessions: {gateway: {id: 3}}", "sessions.gateway.id: no entry of listen has profile: session, and sessions of plain "
         "have no numbers; remove it, or add one"),
        ('control: {listen: "unix:/tmp/c"}', "control.listen: no entry of listen has profile: session, so there is "
         "nothing to issue; remove it, or add one"),
    ],
)  # fmt: skip
def test_what_does_not_suit_the_profiles_gets_one_sentence(addition: str, sentence: str) -> None:
    assert errors(PORTS + addition + "\n") == [f"gate.yaml:5: {sentence}"]


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("sessions: {capacity: 1048577}", "sessions.capacity: found 1048577, allowed with profile: session: "
         "a whole number from 1 to 1048576"),
        ("sessions: {capacity: 524289, gateway: {bits: 9}}", "sessions.gateway.bits: found 9; of the 32 bits of a session's "
         "number sessions.capacity: 524289 takes 20, and at least 4 tell apart who had one place: write at most 8, or lower "
         "sessions.capacity"),
        ("sessions: {gateway: {bits: 13}}", "sessions.gateway.bits: found 13; of the 32 bits of a session's number "
         "sessions.capacity: 65536 takes 16, and at least 4 tell apart who had one place: write at most 12, or lower "
         "sessions.capacity"),
        ("sessions: {capacity: 1, gateway: {bits: 17}}", "sessions.gateway.bits: found 17, allowed: a whole number from 0 to "
         "16"),
        ("sessions: {gateway: {bits: 1, id: 2}}", "sessions.gateway.id: found 2, allowed with sessions.gateway.bits: 1: a whole "
         "number from 0 to 1; write another, or more bits"),
        ("sessions: {gateway: {id: 256}}", "sessions.gateway.id: found 256, allowed with sessions.gateway.bits: 8: a whole number "
         "from 0 to 255; write another, or more bits"),
        ("sessions: {gateway: {bits: 0, id: 1}}", "sessions.gateway.id: found 1, allowed with sessions.gateway.bits: 0: 0 alone; "
         "write another, or more bits"),
        ("sessions: {gateway: {id: -1}}", "sessions.gateway.id: found -1, allowed with sessions.gateway.bits: 8: a whole number "
         "from 0 to 255; write another"),
        ("sessions: {capacity: 1048576, gateway: {id: 256}}", "sessions.gateway.id: found 256, allowed with "
         "sessions.gateway.bits: 8: a whole number from 0 to 255; write another"),
        ("sessions: {capacity: 1, gateway: {bits: 16, id: 65536}}", "sessions.gateway.id: found 65536, allowed with "
         "sessions.gateway.bits: 16: a whole number from 0 to 65535; write another"),
        ("sessions: {gateway: {id: five}}", 'sessions.gateway.id: found "five", allowed: a whole number from 0 to 65535'),
        ("sessions: {gateway: {idd: 1}}", 'sessions.gateway.idd: unknown key; did you mean "id"?'),
        ("delivery: {resend_min_ms: 9}", "delivery.resend_min_ms: found 9, allowed: a number from 10 to 10000"),
        ("delivery: {acknowledge_ms: 26}", "delivery.acknowledge_ms: found 26, allowed: a number from 0 to 25"),
        ("delivery: {handshake_cpu: 0}", "delivery.handshake_cpu: found 0, allowed: a number from 0.01 to 1"),
        ("delivery: {queue_kib: 63}", "delivery.queue_kib: found 63, allowed: a whole number from 64 to 65536"),
        ("delivery: {flush_mss: 5}", 'delivery.flush_mss: unknown key; did you mean "flush_ms"?'),
        ("delivery: {compress: {chat: nevr}}", 'delivery.compress.chat: found "nevr", allowed: a whole number from 1 '
         'to 65536 or never; did you mean "never"?'),
        ("delivery: {compress: {move: 10}}", "delivery.compress.move: unknown key; allowed: chat, inventory, bulk"),
        ("delivery: {messages_pps: {mvoe: 10}}", 'delivery.messages_pps.mvoe: unknown key; did you mean "move"?'),
        ("delivery: {messages_burst: {move: 0}}", "delivery.messages_burst.move: found 0, allowed: a whole number from 1 "
         "to 1000000"),
        ("control: {tls: {certificate: c, key: k}}", "control.tls: a unix socket never leaves this host and has no TLS; "
         "remove it, or listen on host:port"),
        ('control: {listen: "127.0.0.1:1"}', "control.token_file: missing; 127.0.0.1:1 is open to every user who can reach it: "
         "name a file with a token, or listen on unix:/path"),
        ('control: {listen: "0.0.0.0:1", token_file: t}', "control.tls: missing; 0.0.0.0:1 is not a loopback address, and "
         "issued keys would travel in the clear: add a certificate and key, or listen on 127.0.0.1 or unix:/path"),
        ('control: {listen: "game.example:1", token_file: t}', "control.tls: missing; game.example:1 is not a loopback "
         "address, and issued keys would travel in the clear: add a certificate and key, or listen on 127.0.0.1 or unix:/path"),
        ('control: {listen: "127.0.0.1:1", tokenfile: t}', 'control.tokenfile: unknown key; did you mean "token_file"?'),
        ('control: {listen: "unix:/tmp/c", tls: {certificate: c, key: k}}', "control.tls: a unix socket never leaves this host "
         "and has no TLS; remove it, or listen on host:port"),
        ('control: {listen: "0.0.0.0:1", token_file: t, tls: {certificate: c}}', "control.tls.key: missing; write a file name"),
        ('control: {listen: "unix:"}', 'control.listen: found "unix:"; after unix: goes the name of a file, such as '
         "unix:/run/pollgate/control.sock"),
        ("control: {listen: 9465}", "control.listen: found 9465, allowed: unix:/path, or host:port such as 127.0.0.1:9465 "
         "or null"),
        ('control: {listen: "unix:/tmp/c", advertise: "0.0.0.0:8080"}', 'control.advertise: found "0.0.0.0:8080", which is '
         "every address; name the one that players reach"),
        ('control: {listen: "unix:/tmp/c", token_file: ""}', 'control.token_file: found "", allowed: a file name'),
        ('control: {listen: "127.0.0.1:9464", token_file: t}\nmetrics: {listen: "127.0.0.1:9464"}', "control.listen: address "
         "127.0.0.1:9464 is taken already by metrics.listen on line 7; metrics and the control API need an address each"),
    ],
)  # fmt: skip
def test_a_wrong_value_with_sessions_gets_one_sentence(addition: str, sentence: str) -> None:
    assert errors(SESSION + addition + "\n") == [f"gate.yaml:6: {sentence}"]


def test_defaults_written_out_contradict_nothing() -> None:
    load(
        PORTS + "listen: [{port: 1, admission: open, limits: {connections_pps: 0, session_burst: 256}}]\n"
        "delivery: {flush_ms: 5, resend_min_ms: 35}\ncontrol: {listen: null}\n"
    )


@pytest.mark.parametrize(
    ("capacity", "bits"), [(1_048_576, 8), (524_288, 9), (65_536, 12), (65_537, 11), (4096, 16), (1, 16)]
)
def test_a_gateway_may_take_all_bits_that_its_sessions_leave(capacity: int, bits: int) -> None:
    last = (1 << bits) - 1
    text = f"sessions: {{capacity: {capacity}, gateway: {{id: {last}, bits: {bits}}}}}\n"
    gateway = load(SESSION + text).sessions.gateway
    assert (gateway.id, gateway.bits) == (last, bits)


def test_a_gateway_is_the_first_of_256_by_default() -> None:
    gateway = load(SESSION).sessions.gateway
    assert (gateway.id, gateway.bits) == (0, 8)
    assert load(PORTS + "sessions: {gateway: {id: 0, bits: 8}}\n").sessions.gateway == gateway


def test_a_plain_listener_alone_may_have_more_sessions() -> None:
    assert load(PORTS + "sessions: {capacity: 1048577}\n").sessions.capacity == 1_048_577
    assert load(SESSION + "sessions: {capacity: 1048576}\n").sessions.capacity == 1_048_576


def test_contradictions_stand_beside_all_other_errors() -> None:
    text = PORTS.replace("game0", "Game0") + "listen: [{port: 1, admission: issued}]\nlog: {level: loud}\n"
    assert [line.partition(": ")[0] for line in errors(text)] == ["gate.yaml:3", "gate.yaml:5", "gate.yaml:6"]


def test_of_a_profile_that_is_misspelt_nothing_else_is_said() -> None:
    text = PORTS + "listen: [{port: 1, profile: sesion, limits: {session_pps: 9}}]\ndelivery: {flush_ms: 1}\n"
    assert errors(text) == [
        'gate.yaml:5: listen[0].profile: found "sesion", allowed: plain, session or netcode; did you mean "session"?'
    ]


@pytest.mark.parametrize("profile", ["[]", "{}", "7", "null"])
def test_a_profile_that_is_no_word_is_one_error(profile: str) -> None:
    assert len(errors(PORTS + f"listen: [{{port: 1, profile: {profile}}}]\n")) == 1


def test_a_contradiction_is_refused_in_a_configuration_made_in_code() -> None:
    with pytest.raises(ValueError, match=r"listen\.0\.admission: profile plain has no keys"):
        Config.model_validate(listeners({"port": 1, "admission": "issued"}))


# ---------------------------------------------------------------- the control API's address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("unix:/run/pollgate/control.sock", UnixSocket("/run/pollgate/control.sock")),
        ("unix:var/control.sock", UnixSocket("var/control.sock")),
        ("127.0.0.1:9465", Endpoint("127.0.0.1", 9465)),
        ("[::1]:0", Endpoint("::1", 0)),
    ],
)
def test_a_control_address_is_read_and_written_alike(written: str, meant: object) -> None:
    assert parse_control_address(written) == meant
    assert str(parse_control_address(written)) == written


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("unix:" + "a" * 108, "a path of 108 bytes; the kernel takes 107"),
        ("unix:/tmp/", "after unix: goes the name of a file"),
        ("unix", "allowed: host:port"),
        ("/tmp/c", "allowed: host:port"),
        ("127.0.0.1:65536", "unix:/path, or null"),
    ],
)
def test_a_wrong_control_address_is_told_what_to_write(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^found ") as caught:
        parse_control_address(written)
    assert complaint in str(caught.value)


def test_players_cannot_be_told_port_0() -> None:
    with pytest.raises(ValueError, match="port 1 to 65535"):
        parse_gateway_address("game.example.org:0")


@pytest.mark.parametrize("listen", ["127.0.0.1:9465", "localhost:9465", "[::1]:9465"])
def test_on_loopback_a_token_is_enough(listen: str) -> None:
    control = load(SESSION + f'control: {{listen: "{listen}", token_file: token}}\n').control
    assert (str(control.listen), control.token_file, control.tls) == (listen, "token", None)


def test_a_unix_socket_needs_neither_token_nor_tls() -> None:
    control = load(SESSION + 'control: {listen: "unix:/tmp/c", advertise: "game.example:8080"}\n').control
    assert control.listen == UnixSocket("/tmp/c")
    assert control.advertise == Endpoint("game.example", 8080)


def test_elsewhere_it_takes_a_token_and_tls() -> None:
    tls = "tls: {certificate: cert.pem, key: key.pem}"
    control = load(SESSION + f'control: {{listen: "0.0.0.0:9465", token_file: token, {tls}}}\n').control
    assert control.tls is not None
    assert (control.tls.certificate, control.tls.key) == ("cert.pem", "key.pem")
