# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate token` as a shell sees it: what it prints, its exit codes, one sentence per failure."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Bulk, Chat, Client, Connected, GameMessage, Inventory, Ticket
from tests.gate import Gate
from tests.issuing.gateway import TOKEN, Api, certificate, configuration, token_command, token_file
from tests.ports import free_port


def done(gate: Gate, *args: str) -> str:
    """Standard output of a command that succeeds."""
    ran = token_command(gate, *args)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return ran.stdout


def failed(gate_or_path: Gate | Path, code: int, *args: str) -> str:
    """The one sentence of a command that fails with this exit code."""
    ran = token_command(gate_or_path, *args)
    assert (ran.returncode, ran.stdout) == (code, ""), ran
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_issue_prints_what_a_client_needs(gate: Gate, api: Api) -> None:
    issued = json.loads(done(gate, "issue", "--player", "1", "--ttl", "60", "--once", "--json"))
    assert Ticket.from_json(json.dumps(issued)).session == issued["session"]
    info = api("GET", f"/v1/sessions/{issued['session']}").body
    assert (info["player_id"], info["once"]) == (1, True)
    assert 0 < info["expires_in"] <= 60


def test_issue_for_people_has_a_line_for_each(gate: Gate) -> None:
    text = done(gate, "issue", "--player", "2")
    lines = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert lines.keys() == {"session", "key", "address", "expires", "player_id"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", lines["key"])


def test_a_ticket_in_a_file_is_for_its_owner_alone_and_prints_no_key(gate: Gate, tmp_path: Path) -> None:
    file = tmp_path / "ticket.json"
    old = tmp_path / "elsewhere"
    old.write_text("what others may read")
    old.chmod(0o644)
    file.symlink_to(old)
    before = os.umask(0)
    try:
        text = done(gate, "issue", "--player", "8", "--out", str(file))
        again = json.loads(done(gate, "issue", "--player", "8", "--json", "--out", str(file)))
    finally:
        os.umask(before)
    ticket = json.loads(file.read_text())
    assert Ticket.from_json(file).session == ticket["session"] == again["session"]
    assert stat.S_IMODE(file.lstat().st_mode) == 0o600
    assert stat.S_ISREG(file.lstat().st_mode)
    assert old.read_text() == "what others may read"
    assert ticket["key"] not in text
    assert {line.split()[0] for line in text.splitlines()} == {"session", "address", "expires", "player_id"}
    assert again.keys() == ticket.keys() - {"key"}
    assert {path.name for path in tmp_path.iterdir()} == {"ticket.json", "elsewhere"}


def test_a_ticket_that_cannot_be_kept_is_not_asked_for(gate: Gate, api: Api, tmp_path: Path) -> None:
    session = api.issue(9)["session"]
    for out in (tmp_path / "nowhere" / "ticket.json", tmp_path, Path("/dev/null")):
        assert failed(gate, 2, "issue", "--player", "9", "--out", str(out)).startswith(f"--out: {out} ")
    assert api("GET", f"/v1/sessions/{session}").status == 200
    assert list(tmp_path.iterdir()) == []


def test_a_ticket_for_which_there_is_no_room_is_not_asked_for(gate: Gate, api: Api, tmp_path: Path) -> None:
    session = api.issue(9)["session"]
    # A limit on the size of files stands for a full disk, which also takes an empty file and nothing in it.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        said = failed(gate, 2, "issue", "--player", "9", "--out", str(tmp_path / "ticket.json"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written: File too large" in said
    assert api("GET", f"/v1/sessions/{session}").status == 200
    assert list(tmp_path.iterdir()) == []


def test_a_refused_ticket_leaves_the_file_as_it_was(gate: Gate, tmp_path: Path) -> None:
    file = tmp_path / "ticket.json"
    file.write_text("the last one")
    failed(gate, 2, "issue", "--player", "4294967296", "--out", str(file))
    assert file.read_text() == "the last one"
    assert list(tmp_path.iterdir()) == [file]


def test_list_has_every_session_and_never_a_key(gate: Gate, api: Api) -> None:
    issued = [api.issue(player) for player in (3, 4, 5)]
    text = done(gate, "list")
    assert text.split()[:2] == ["session", "player"]
    rows = {row.split()[0]: row.split()[1] for row in text.splitlines()[1:]}
    assert {(str(one["session"]), str(one["player_id"])) for one in issued} <= rows.items()
    lines = [json.loads(line) for line in done(gate, "list", "--json").splitlines()]
    assert {info["session"] for info in lines} == {int(session) for session in rows}
    of_one = [json.loads(line) for line in done(gate, "list", "--player", "4", "--json").splitlines()]
    assert [info["player_id"] for info in of_one] == [4]
    for one in issued:
        assert one["key"] not in text


def test_list_goes_on_over_pages(gate: Gate, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = {api.issue(player)["session"] for player in range(100, 120)}
    from pyshim.config import load_config  # noqa: PLC0415
    from pyshim.issuing import commands  # noqa: PLC0415
    from pyshim.issuing.client import Client as ApiClient  # noqa: PLC0415

    monkeypatch.setattr(commands, "_PAGE", 3)
    with ApiClient(load_config(gate.config_path)) as client:
        found = [info["session"] for info in commands._sessions(client, None)]
    assert len(found) == len(set(found))
    assert sessions <= set(found)


def test_inspect_and_revoke(gate: Gate, api: Api) -> None:
    session = str(api.issue(6)["session"])
    assert re.search(r"^player_id +6$", done(gate, "inspect", session), re.MULTILINE)
    assert json.loads(done(gate, "inspect", session, "--json"))["player_id"] == 6
    assert done(gate, "revoke", session) == ""
    for command in ("inspect", "revoke"):
        assert f"there is no session {session}" in failed(gate, 2, command, session)


def test_send_reaches_a_player(gate: Gate, api: Api, tmp_path: Path) -> None:
    issued = api.issue(7)
    session = str(issued["session"])
    file = tmp_path / "sword"
    file.write_bytes(b"\x00\x01" * 2000)

    def send(*args: str) -> Callable[[], str]:
        return lambda: done(gate, "send", session, *args)

    async def life() -> None:
        async with Client(Ticket.from_json(json.dumps(issued))) as game:
            events = game.events()

            async def after(action: Callable[[], str]) -> Any:
                await asyncio.to_thread(action)
                return await asyncio.wait_for(anext(events), 10)

            assert isinstance(await asyncio.wait_for(anext(events), 10), Connected)
            told = await after(send("--text", "hello"))
            assert isinstance(told, Chat)
            assert told.text == "hello"
            assert await after(send("--type", "inventory", "--file", str(file))) == Inventory(
                file.read_bytes()
            )
            assert await after(
                send("--type", "bulk", "--file", str(file), "--priority", "urgent", "--channel", "2")
            ) == Bulk(0, 7, file.read_bytes())
            assert await after(send("--type", "game", "--number", "199", "--file", str(file))) == GameMessage(
                199, file.read_bytes()
            )
            refused = await asyncio.to_thread(
                failed, gate, 2, "send", session, "--type", "bulk", "--file", str(file), "--unreliable"
            )
            assert "4004 bytes" in refused
            assert "connected     True" in await asyncio.to_thread(done, gate, "inspect", session)

    asyncio.run(life())
    assert "player 7 is not connected" in failed(gate, 2, "send", session, "--text", "hello")


@pytest.mark.parametrize(
    "args",
    [
        ("issue",),
        ("issue", "--player", "0"),
        ("issue", "--player", "x"),
        ("issue", "--player", "1", "--ttl", "0"),
        ("inspect",),
        ("inspect", "0"),
        ("send", "1", "--type", "move"),
        ("send", "1", "--channel", "4"),
        ("list", "--everything"),
    ],
)
def test_a_wrong_command_line_is_2(gate: Gate, args: tuple[str, ...]) -> None:
    assert failed(gate, 2, *args)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("issue", "--player", str(2**32)), "player_id"),
        (("issue", "--player", "1", "--ttl", str(2**31)), "ttl"),
        (("send", "1"), "text"),
        (("send", "1", "--file", "/nonexistent"), "/nonexistent cannot be read"),
    ],
)
def test_what_the_gateway_refuses_is_2_and_its_sentence(
    gate: Gate, args: tuple[str, ...], sentence: str
) -> None:
    assert sentence in failed(gate, 2, *args)


def test_without_a_gateway_it_says_so_with_69(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(json.dumps(configuration(tmp_path)))
    told = failed(path, 69, "list", "--json")
    assert told.startswith("no gateway with this configuration runs here")
    with Gate(configuration(tmp_path), tmp_path) as gate:
        gate.process.kill()
        gate.wait()
        assert "no gateway with this configuration runs here" in failed(gate, 69, "list")
        assert "no gateway with this configuration runs here" in failed(gate, 69, "issue", "--player", "1")


def test_a_configuration_that_issues_nothing_is_2(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    config = configuration(tmp_path)
    del config["control"]
    path.write_text(json.dumps(config | {"listen": [{"port": free_port()}]}))
    assert "no entry has profile: session" in failed(path, 2, "list", "--json")


def test_a_configuration_that_is_wrong_is_78_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("ports: []\n")
    assert f"{path}:1: ports" in failed(path, 78, "list", "--json")
    path.write_text(json.dumps(configuration(tmp_path, token_file=str(tmp_path / "none")), indent=1))
    told = failed(path, 69, "list", "--json")
    assert re.match(rf"{path}:\d+: control.token_file: ", told)


def test_over_tls_the_command_finds_token_and_certificate_by_itself(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    port = free_port(socket.SOCK_STREAM)
    # Every address of the host: the command goes to loopback.
    place = {"listen": f"0.0.0.0:{port}", "token_file": token_file(tmp_path), "tls": tls}
    with Gate(configuration(tmp_path, **place), tmp_path) as gate:
        issued = json.loads(done(gate, "issue", "--player", "1", "--json"))
        assert str(issued["session"]) in done(gate, "list")

        other = tmp_path / "other.yaml"
        other.write_text(
            json.dumps(configuration(tmp_path, **place | {"tls": certificate(tmp_path, "other")}))
        )
        assert "certificate verify failed" in failed(other, 69, "list", "--json")

        wrong = tmp_path / "wrong"
        wrong.write_text("another-token-that-is-long-enough\n")
        wrong.chmod(0o600)
        other.write_text(json.dumps(configuration(tmp_path, **place | {"token_file": str(wrong)})))
        told = failed(other, 69, "list", "--json")
        assert "control.token_file" in told
        assert TOKEN not in told


def test_a_port_that_nobody_knows_beforehand_cannot_be_asked(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(
        json.dumps(configuration(tmp_path, listen="127.0.0.1:0", token_file=token_file(tmp_path)))
    )
    assert "port 0" in failed(path, 2, "list", "--json")


def test_advertise_is_what_players_are_told(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path, advertise="[2001:db8::7]:4000"), tmp_path) as gate:
        assert "[2001:db8::7]:4000" in done(gate, "issue", "--player", "1")


def test_help_names_every_command(gate: Gate) -> None:
    text = token_command(gate, "issue", "--help").stdout
    assert {"--player", "--ttl", "--once", "--json"} <= set(text.split())
