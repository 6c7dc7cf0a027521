# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipe for a message type: a new one of each kind is taken, counted, delivered, shown."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.handbook.scratch import Edit, Recipe, Scratch, recipe, run

AT_MOST = 5  # files that are edited by hand
WRITTEN = {
    "client/pollgate_client.h",
    "game/pollgate_game.h",
    "configs/pollgate.schema.json",
    "dpdk_app/wire/PROTOCOL.md",
    "dpdk_app/wire/session_vectors.json",
    "pyshim/protocol/session_wire.py",
    "wireshark/pollgate.lua",
}

# Of the other kinds, with bodies that other types have: a line each.
LIST = "dpdk_app/wire/messages.def"
OTHERS = """\
OWN(DANCE, dance, DANCE, 16, empty, NEVER, none, NORMAL, UNRELIABLE, 4, 8, "Dances.")
GIVEN(REWARD, reward, REWARD, 215, given, NEVER)
"""

# Two players and an operator say one of each, on the tests' network.
SAYS = """
import json, struct
from pathlib import Path
from pyshim.config import Config
from pyshim.operator_messages import OperatorMessage
from pyshim.plan import REQUEST_TYPES
from pyshim.protocol.client.events import Message
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol import session_crypto
from pyshim.protocol.session import BODIES
from pyshim.protocol.session_bodies import check_body
from pyshim.protocol.session_wire import MessageType, REQUESTS
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet
from tests.wireshark.dissection import Datagram, write
derive, derived = session_crypto.key_material, []  # who opens a connection needs what is in no capture
def key_material(secret):
    derived.append(derive(secret))
    return derived[-1]
session_crypto.key_material = key_material
def emote(target, last=0):
    return struct.pack("<IHBB", target, 300, 9, last)
def refused(body):
    try:
        check_body(MessageType.EMOTE, body, REQUESTS)
    except ValueError:
        return True
with CoreGateway() as gateway:
    internet = Internet(gateway)
    tickets = [gateway.issue(number) for number in (7, 8)]
    seven, eight = (internet.join(ticket) for ticket in tickets)
    assert internet.run(30, lambda: seven.session.is_connected and eight.session.is_connected)
    for body in (emote(8), emote(0)):
        seven.session.send(Outgoing.reliable(MessageType.EMOTE, body, Priority.URGENT, 1), internet.now)
    seven.session.send(Outgoing.unreliable(MessageType.DANCE, b"", Priority.URGENT), internet.now)
    internet.run(2)
    seven.session.send(Outgoing.unreliable(MessageType.EMOTE, emote(8, 1), Priority.URGENT), internet.now)
    gateway.send(OperatorMessage(tickets[1].session, MessageType.REWARD, b"gold", 0, True, 0), internet.now)
    internet.run(2)
    gateway.check_books()
    stats = gateway.stats()
    tap = [Datagram(payload, to_gateway) for to_gateway, payload in internet.tap]
    write(Path("capture.pcap"), tap)
    layer = BODIES[MessageType.EMOTE_EVENT](struct.pack("<I", 7) + emote(8))
    print(json.dumps({
        "heard": [
            [one.type.name, one.sender, one.body.hex()] for one in eight.heard if isinstance(one, Message)
        ],
        "received": dict(stats.messages.received), "sent": dict(stats.messages.sent),
        "lost": dict(stats.messages.lost), "skipped": stats.messages.skipped,
        "refused": [refused(emote(8, 1)), refused(emote(8)[:-1]), not refused(emote(8))],
        "layer": {name: getattr(layer, name) for name in ("sender_id", "target_id", "emote", "strength")},
        "rates": Config.model_fields["delivery"].annotation().messages_pps.model_dump(),
        "types": REQUEST_TYPES,
        "keys": [f"{ticket.session}:{okm.hex()}" for ticket in tickets for okm in derived],
    }))
"""
SHOWS = """
import sys
from pathlib import Path
from tests.wireshark.dissection import tshark
print(tshark(Path("capture.pcap"), "-o", "pollgate.keys:" + sys.argv[1], "-T", "fields",
             "-e", "pollgate.message.type", "-e", "pollgate.emote", "-e", "pollgate.strength"))
"""
# A client in C: it knows the types, and what is a body of one.
CLIENT = """
#include <stdio.h>
#include <pollgate_client.h>
int main(void)
{
    const unsigned char body[8] = {8, 0, 0, 0, 44, 1, 9, 0}, wrong[8] = {8, 0, 0, 0, 44, 1, 9, 1};
    struct pgc_options options;
    pgc_client *client;
    pgc_options_init(&options);
    options.session = 1;
    client = pgc_new(&options);
    const int said = pgc_say(client, PGC_MESSAGE_EMOTE, body, sizeof(body), NULL);
    const int refused = pgc_say(client, PGC_MESSAGE_EMOTE, wrong, sizeof(wrong), NULL);
    printf("%d %d", PGC_EVENT_EMOTE, PGC_EVENT_REWARD);
    printf(" %d %d", said == PGC_ERROR_STATE, refused == PGC_ERROR_ARGUMENT);
    pgc_free(client);
    return 0;
}
"""


@pytest.fixture(scope="module")
def kind() -> Recipe:
    return recipe("message type")


@pytest.fixture(scope="module")
def scratch(kind: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    copy = Scratch(tmp_path_factory.mktemp("type"))
    copy.edit(Edit(LIST, "above", "// Bodies.", OTHERS))
    copy.follow(kind)
    copy.build_core()
    return copy


@pytest.fixture(scope="module")
def said(scratch: Scratch) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(scratch.python("-c", SAYS))
    return found


def test_few_files_are_edited_by_hand(kind: Recipe, scratch: Scratch) -> None:
    assert set(kind.files) == {LIST, "dpdk_app/message/session_check.c"}
    assert len(kind.files) <= AT_MOST
    assert scratch.changed() == {*kind.files} | WRITTEN


def test_whoever_it_is_for_gets_it_and_so_does_what_the_game_gives(said: dict[str, Any]) -> None:
    assert said["heard"] == [["EMOTE_EVENT", 7, "080000002c010900"], ["REWARD", None, b"gold".hex()]]


def test_each_is_counted_under_its_label_and_what_is_for_nobody_as_that(said: dict[str, Any]) -> None:
    assert (said["received"]["emote"], said["received"]["dance"]) == (2, 1)
    assert (said["sent"]["emote"], said["sent"]["reward"]) == (1, 1)
    assert said["lost"]["no_receiver"] == 1


def test_a_body_that_is_none_is_refused_by_both_sides(said: dict[str, Any]) -> None:
    assert said["skipped"] == 1
    assert said["refused"] == [True, True, True]


def test_scapy_has_its_layer(said: dict[str, Any]) -> None:
    assert said["layer"] == {"sender_id": 7, "target_id": 8, "emote": 300, "strength": 9}


def test_the_configuration_has_its_limits(said: dict[str, Any]) -> None:
    assert (said["rates"]["emote"], said["rates"]["dance"]) == (4, 4)
    assert said["types"][-2:] == ["dance", "emote"]


def test_the_dissector_shows_it(scratch: Scratch, said: dict[str, Any]) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    scratch.path.chmod(0o755)
    shown = scratch.python("-c", SHOWS, " ".join(said["keys"])).splitlines()
    assert "14,14\t300,300\t9,9" in shown or "14\t300\t9" in shown
    assert "214\t300\t9" in shown


def test_the_document_has_its_row(scratch: Scratch) -> None:
    rows = (scratch.path / "dpdk_app" / "wire" / "PROTOCOL.md").read_text().splitlines()
    assert "| 14 | EMOTE | u32 target_id (0: everyone near), u16 emote, u8 strength, u8 0 |" in rows
    assert "| 215 | REWARD | at most 65,536 bytes of the game's own |" in rows


def test_the_vectors_have_it(scratch: Scratch) -> None:
    vectors = json.loads((scratch.path / "dpdk_app" / "wire" / "session_vectors.json").read_text())
    assert [one["fate"] for one in vectors["data"] if one["name"].startswith("emote: ")] == [
        "taken",
        "skipped",
        "skipped",
    ]


def test_the_client_in_c_says_it(scratch: Scratch) -> None:
    scratch.make_client("pollgate_client.c")
    (scratch.path / "player.c").write_text(CLIENT)
    libraries = ["-lsodium", "-lcrypto", "-ldeflate"]
    run(
        ["cc", "-std=c17", "-Iclient", "player.c", "pollgate_client.c", "-o", "player", *libraries],
        scratch.path,
    )
    assert run(["./player"], scratch.path) == "214 215 1 1"


def test_a_game_sends_it(scratch: Scratch) -> None:
    include = ["-Igame", "-Idpdk_app", "-Idpdk_app/include"]
    flags = ["-std=gnu17", "-D_GNU_SOURCE", *include, "-fsyntax-only"]
    run(["cc", *flags, "game/send.c"], scratch.path)
    assert "PGG_TYPE_EMOTE = 14," in (scratch.path / "game/pollgate_game.h").read_text()
