# SPDX-License-Identifier: BSD-3-Clause
"""The dissector shows datagrams of the session profile, and opens them when it has keys."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pyshim.protocol.client import Settings
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.client.phases import PhaseRules
from pyshim.protocol.session import Session, seal
from pyshim.protocol.session_bodies import bulk_body, chat_body, move_body
from pyshim.protocol.session_crypto import TrafficKeys, key_material, traffic_keys
from pyshim.protocol.session_wire import Kind, Message, MessageType, Prefix, pack_messages
from tests.session.internet import Internet, LinkConditions
from tests.session.model_gateway import ModelGateway
from tests.wireshark.dissection import Datagram, Shown, lines, run, show, tshark, write

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "dpdk_app" / "wire" / "session_vectors.json").read_text()
)
FIRST = VECTORS["derive"][0]
SESSION: int = FIRST["session"]
KEYS: TrafficKeys = traffic_keys(bytes.fromhex(FIRST["secret"]))
ISSUED = f"pollgate.keys:{SESSION}:{FIRST['key']}"
NEXT = key_material(bytes.fromhex(FIRST["next_secret"])).hex()
TRAFFIC = f"pollgate.keys:{SESSION}:{FIRST['okm']} {SESSION}:{NEXT}"


def vector(name: str) -> dict[str, Any]:
    return next(found for found in VECTORS["datagrams"] if found["name"] == name)


def datagram(found: dict[str, Any]) -> Datagram:
    return Datagram(bytes.fromhex(found["datagram"]), found["from_client"])


HANDSHAKE = [
    datagram(vector(name)) for name in ("hello", "challenge", "confirm of 1400", "gateway: welcome of 1400")
]


def data(counter: int, *messages: Message, from_client: bool = True) -> Datagram:
    return secret(counter, Prefix().pack() + pack_messages(messages), from_client=from_client)


def secret(counter: int, body: bytes, *, from_client: bool = True) -> Datagram:
    key = KEYS.client_to_gateway if from_client else KEYS.gateway_to_client
    return Datagram(seal(Session(kind=int(Kind.DATA), session=SESSION), body, key, counter), from_client)


def malformed(shown: Shown) -> bool:
    return shown.has("pollgate.malformed")


# ---------------------------------------------------------------- opened


def test_every_sealed_datagram_of_the_vectors_is_opened(tmp_path: Path) -> None:
    sealed = [found for found in VECTORS["datagrams"] if found["counter"]]
    sealed.sort(key=lambda found: (found["kind"] != "WELCOME", found["counter"]))
    welcomes = [datagram(vector(name)) for name in ("confirm of 508", "confirm of 1400")]
    shown = show(tmp_path, [*welcomes, *map(datagram, sealed)], TRAFFIC)[2:]
    assert len(shown) == len(sealed) > 20
    for found, frame in zip(sealed, shown, strict=True):
        # The header's is the first: a BUSY names one, too.
        assert frame.all("pollgate.counter")[0] == str(found["counter"]), found["name"]
        assert frame.one("pollgate.opened") == "1"
        assert not malformed(frame), found["name"]


def test_key_phase_is_shown_of_what_is_sealed(tmp_path: Path) -> None:
    said = [datagram(vector(f"client: {name}")) for name in ("close, left", "in the second key phase")]
    hello = bytearray(bytes.fromhex(vector("hello")["datagram"]))
    hello[1] = 1
    first, second, wrong = show(tmp_path, [*said, Datagram(bytes(hello), True)])
    assert (first.one("pollgate.key_phase"), second.one("pollgate.key_phase")) == ("0", "1")
    assert not malformed(first)
    assert not malformed(second)
    assert not wrong.has("pollgate.key_phase")
    assert malformed(wrong)


def test_what_is_not_sealed_is_shown_without_keys(tmp_path: Path) -> None:
    hello, challenge, confirm, welcome = show(tmp_path, HANDSHAKE)
    assert hello.one("pollgate.kind") == "1"
    assert hello.one("pollgate.session") == str(SESSION)
    assert hello.one("pollgate.session.slot") == str(SESSION & 0xFFFFF)
    assert hello.one("pollgate.session.generation") == str(SESSION >> 20)
    assert hello.one("pollgate.client_nonce").replace(":", "") == FIRST["client_nonce"]
    assert challenge.one("pollgate.cookie") == confirm.one("pollgate.cookie")
    assert confirm.one("pollgate.max_datagram") == "1400"
    assert welcome.one("pollgate.server_nonce").replace(":", "") == FIRST["server_nonce"]
    assert welcome.has("pollgate.no_key")
    assert not any(map(malformed, (hello, challenge, confirm, welcome)))


def test_welcome_is_opened_with_its_traffic_keys(tmp_path: Path) -> None:
    welcome = show(tmp_path, HANDSHAKE, TRAFFIC)[3]
    assert welcome.one("pollgate.player_id") == "4711"
    assert welcome.one("pollgate.idle_timeout") == "30000"
    assert welcome.one("pollgate.max_datagram") == "1400"


def test_the_issued_key_opens_nothing(tmp_path: Path) -> None:
    shown = show(tmp_path, [*HANDSHAKE, data(2)], ISSUED)
    assert [frame.has("pollgate.no_key") for frame in shown] == [False, False, False, True, True]
    assert not any(frame.has("pollgate.opened") or frame.has("pollgate.bad_proof") for frame in shown)


def test_move_and_chat_are_shown_with_keys(tmp_path: Path) -> None:
    said = data(
        2,
        Message(MessageType.MOVE, move_body((1.5, -2.0, 3.0), (0.5, 0.0, 0.0))),
        Message(MessageType.CHAT, chat_body(9, 2, "grüße"), channel=1, message_id=7),
    )
    shown = show(tmp_path, [said], TRAFFIC)[-1]
    assert shown.all("pollgate.message.type") == ["1", "3"]
    assert shown.one("pollgate.position.x") == "1.5"
    assert shown.one("pollgate.position.y") == "-2"
    assert shown.one("pollgate.velocity.x") == "0.5"
    assert shown.one("pollgate.chat.text") == "grüße"
    assert shown.one("pollgate.target_id") == "9"
    assert shown.one("pollgate.message.id") == "7"
    assert shown.all("pollgate.message.channel") == ["0", "1"]
    assert not malformed(shown)


def test_nothing_inside_is_shown_without_keys(tmp_path: Path) -> None:
    said = data(2, Message(MessageType.CHAT, chat_body(9, 2, "secret")))
    shown = show(tmp_path, [*HANDSHAKE, said])[-1]
    assert shown.has("pollgate.no_key")
    assert not shown.has("pollgate.message.type")
    assert not any("secret" in value for _, value in shown.pairs)
    assert shown.one("pollgate.counter") == "2"


def test_changed_datagram_is_not_opened(tmp_path: Path) -> None:
    said = data(2, Message(MessageType.CHAT, chat_body(9, 2, "secret")))
    for at in (8, 20, len(said.payload) - 1):  # header, ciphertext, tag
        broken = bytearray(said.payload)
        broken[at] ^= 1
        shown = show(tmp_path, [*HANDSHAKE, Datagram(bytes(broken))], TRAFFIC)[-1]
        assert shown.has("pollgate.bad_tag")
        assert not shown.has("pollgate.message.type")


def test_proof_of_another_key_is_remarked(tmp_path: Path) -> None:
    confirm = bytearray(HANDSHAKE[2].payload)
    confirm[-1] ^= 1
    good, bad = show(tmp_path, [HANDSHAKE[2], Datagram(bytes(confirm))], ISSUED)
    assert not good.has("pollgate.bad_proof")
    assert bad.has("pollgate.bad_proof")


def test_denial_and_close_tell_their_reason(tmp_path: Path) -> None:
    names = ("denied, revoked", "gateway: close, shutdown")
    shown = lines(tmp_path, [*HANDSHAKE, *(datagram(vector(name)) for name in names)], TRAFFIC)
    assert shown[-2:] == ["DENIED revoked", "CLOSE 109 shutdown"]


def test_messages_of_the_games_own_corrections_and_kicks_are_named_and_shown(tmp_path: Path) -> None:
    motion = Message(MessageType.CORRECTION, move_body((1.5, -2.0, 3.0), (0.5, 0.0, 0.0)))
    said = [
        data(2, Message(64, b"abc"), Message(199, b"")),
        data(3, motion, Message(130, b"\xff", channel=1, message_id=7), from_client=False),
        datagram(vector("gateway: close, kicked for the game's reason 7")),
    ]
    refused = motion.body + move_body((90.0, 0.0, 0.0), (0.0, 250.0, 0.0)) + b"\2\0\0\0"
    answer = data(4, Message(MessageType.CORRECTION, refused), from_client=False)
    (shown,) = show(tmp_path, [*HANDSHAKE, answer], TRAFFIC)[-1:]
    assert not malformed(shown)
    assert shown.one("pollgate.refused_position.x") == "90"
    assert shown.one("pollgate.why") == "2"
    assert lines(tmp_path, [*HANDSHAKE, *said], TRAFFIC)[-3:] == [
        "DATA 2 GAME 64, GAME 199",
        "DATA 3 CORRECTION, GAME 130",
        "CLOSE 111 kicked, the game's reason 7",
    ]
    games, corrected, _ = show(tmp_path, [*HANDSHAKE, *said], TRAFFIC)[-3:]
    assert not malformed(games)
    assert not malformed(corrected)
    assert corrected.one("pollgate.position.y") == "-2"


def test_column_names_the_messages(tmp_path: Path) -> None:
    said = data(2, Message(MessageType.HEARTBEAT, b""), Message(MessageType.CHAT, chat_body(0, 0, "x")))
    assert lines(tmp_path, [*HANDSHAKE, said, data(3)], TRAFFIC)[-2:] == [
        "DATA 2 HEARTBEAT, CHAT_MESSAGE",
        "DATA 3 (acknowledgement)",
    ]


# ---------------------------------------------------------------- fragments, compression


def pieces(body: bytes, size: int, first: int, *, compressed: bool = False) -> list[Message]:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return [
        Message(MessageType.BULK, part, 2, (first + n) % 65536, compressed, (n, len(parts)))
        for n, part in enumerate(parts)
    ]


@pytest.mark.parametrize("two_passes", [False, True])
def test_fragments_are_joined_in_any_order(tmp_path: Path, two_passes: bool) -> None:
    whole = bulk_body(5, bytes(range(256)) * 5)
    cut = pieces(whole, 458, 65_535)  # ids wrap around
    order = [cut[1], cut[0], cut[0], cut[2]]
    sent = [data(counter, piece) for counter, piece in enumerate(order, 2)]
    path = tmp_path / "capture.pcap"
    write(path, [*HANDSHAKE, *sent])
    fields = ["-T", "fields", "-e", "pollgate.bytes", "-e", "pollgate.fragment.index", "-o", TRAFFIC]
    text = tshark(path, *fields, *(["-2"] if two_passes else []))
    shown = [line.split("\t") for line in text.splitlines()][4:]
    assert [index for _, index in shown] == ["1", "0", "0", "2"]
    assert [bool(joined) for joined, _ in shown] == [False, False, False, True]
    assert bytes.fromhex(shown[3][0].replace(":", "")) == whole[4:]


def test_compressed_fragments_are_joined_and_expanded(tmp_path: Path) -> None:
    whole = bulk_body(5, Random(1).randbytes(900) * 3)
    body = struct.pack("<I", len(whole)) + zlib.compress(whole)
    sent = [data(2 + n, piece) for n, piece in enumerate(pieces(body, 458, 0, compressed=True))]
    shown = show(tmp_path, [*HANDSHAKE, *sent], TRAFFIC)[-1]
    assert shown.one("pollgate.compressed.length") == str(len(whole))
    assert bytes.fromhex(shown.one("pollgate.bytes").replace(":", "")) == whole[4:]
    assert not malformed(shown)


# ---------------------------------------------------------------- what should not be

MALFORMED = {"skipped", "closes"}  # what is refused, only who remembers ids can tell
TEXT = {"chat with a surrogate", "chat that is not UTF-8"}  # Wireshark shows it with replacement characters


def test_data_of_the_vectors_is_remarked_where_it_is_malformed(tmp_path: Path) -> None:
    cases = [found for found in VECTORS["data"] if found["name"] not in TEXT]
    sent = [
        secret(n, Prefix().pack() + bytes.fromhex(found["secret"]), from_client=found["from_client"])
        for n, found in enumerate(cases, 2)
    ]
    shown = show(tmp_path, [*HANDSHAKE, *sent], TRAFFIC)[4:]
    wrong = [
        found["name"]
        for found, frame in zip(cases, shown, strict=True)
        if malformed(frame) != (found["fate"] in MALFORMED) or not frame.has("pollgate.opened")
    ]
    assert wrong == []


def test_shorter_datagrams_are_malformed_and_never_a_mistake(tmp_path: Path) -> None:
    names = ("hello", "challenge", "denied, full", "client: one of each", "gateway: close, left")
    wholes = [datagram(vector(name)) for name in names]
    cut = [
        Datagram(whole.payload[:length], whole.from_client)
        for whole in wholes
        for length in range(1, len(whole.payload))
    ]
    shown = show(tmp_path, [*HANDSHAKE, *cut], TRAFFIC)[4:]
    assert all(malformed(frame) for frame in shown)


def test_datagrams_that_the_capture_cut_short_are_not_called_malformed(tmp_path: Path) -> None:
    wholes = [*HANDSHAKE, data(2, Message(MessageType.CHAT, chat_body(0, 0, "cut")))]
    cut = [
        Datagram(whole.payload, whole.from_client, captured=length)
        for whole in wholes
        for length in range(1, len(whole.payload), 7)
    ]
    shown = show(tmp_path, cut, TRAFFIC)
    assert all(frame.has("pollgate.cut") for frame in shown)
    assert not any(map(malformed, shown))


def test_mutated_datagrams_are_never_a_mistake(tmp_path: Path) -> None:
    random = Random(4)
    wholes = [datagram(found) for found in VECTORS["datagrams"]]
    mutated = []
    for _ in range(2000):
        whole = random.choice(wholes)
        payload = bytearray(whole.payload)
        for _ in range(random.choice((1, 1, 2, 8))):
            payload[random.randrange(min(len(payload), 80))] = random.randrange(256)
        mutated.append(Datagram(bytes(payload), whole.from_client))
    show(tmp_path, [*HANDSHAKE, *mutated], TRAFFIC)


def test_mutated_messages_are_never_a_mistake(tmp_path: Path) -> None:
    random = Random(5)
    bodies = [bytes.fromhex(found["secret"]) for found in VECTORS["data"] if found["secret"]]
    mutated = []
    for counter in range(2, 2000):
        body = bytearray(random.choice(bodies))
        for _ in range(random.choice((1, 2, 4))):
            body[random.randrange(len(body))] = random.randrange(256)
        cut = bytes(body[: random.randrange(1, len(body) + 1)])
        mutated.append(secret(counter, Prefix().pack() + cut))
    shown = show(tmp_path, [*HANDSHAKE, *mutated], TRAFFIC)[4:]
    assert all(frame.has("pollgate.opened") for frame in shown)


# ---------------------------------------------------------------- keys


def test_key_file_takes_lines_and_tickets(tmp_path: Path) -> None:
    key = bytes.fromhex(FIRST["key"])
    issued = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    broken = Datagram(HANDSHAKE[1].payload[:-1] + b"\0", False)
    path = tmp_path / "keys"
    for text in (
        f"# players\n\n{SESSION} {FIRST['key']} # Ann\n",
        f"{SESSION:#x} {issued}\n",
        json.dumps({"session": SESSION, "key": issued, "address": "192.0.2.1:8081"}) + "\n",
    ):
        path.write_text(text)
        shown = show(tmp_path, [*HANDSHAKE, broken], f"pollgate.keyfile:{path}")
        assert [frame.has("pollgate.bad_proof") for frame in shown] == [False] * 4 + [True], text
    path.write_text(f"{SESSION} {FIRST['okm']}\n")
    assert show(tmp_path, HANDSHAKE, f"pollgate.keyfile:{path}")[3].has("pollgate.opened")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (
            "pollgate.keys:5:abc",
            "pollgate: 5:abc: expected SESSION:KEY; a key has 43 characters of base64url",
        ),
        ("pollgate.keyfile:/nowhere/keys", "pollgate: cannot read the key file /nowhere/keys"),
    ],
)
def test_keys_that_cannot_be_are_told(tmp_path: Path, option: str, sentence: str) -> None:
    path = tmp_path / "capture.pcap"
    write(path, HANDSHAKE)
    assert sentence in run(path, "-o", option).stderr


# ---------------------------------------------------------------- a whole conversation


def test_delivery_with_losses_and_a_reconnection_is_opened_whole(tmp_path: Path) -> None:
    gateway = ModelGateway(Random(1).randbytes, phases=PhaseRules(datagrams=10))
    internet = Internet(gateway, LinkConditions(loss=0.1, doubling=0.1, delay_s=(0.005, 0.06)), 3)
    wire: list[Datagram] = []

    def hear(to_gateway: bool, payload: bytes) -> bool:
        wire.append(Datagram(payload, to_gateway))
        return True

    internet.on_wire = hear
    ticket = gateway.issue(7)
    said = [f"message {n}" for n in range(30)]
    opening: list[str] = []  # as the client tells it
    for part in (said[:15], said[15:]):
        player = internet.join(ticket, Settings(key_log=opening.append))
        internet.run(10)
        assert player.session.is_connected
        for text in part:
            if text.endswith("5"):  # to another network, under another number
                internet.move_away(player)
                player.session.moved(internet.now)
            body = chat_body(7, 0, text)
            player.session.send(Outgoing.reliable(MessageType.CHAT, body, Priority.NORMAL, 1), internet.now)
            internet.run(0.1)
        internet.run(3)
        internet.players.remove(player)
    assert len(opening) > 4, "keys were updated, too"
    keyfile = tmp_path / "keys"
    keyfile.write_text("\n".join(opening) + "\n")
    shown = show(tmp_path, wire, f"pollgate.keyfile:{keyfile}")
    assert not any(map(malformed, shown))
    sealed = [frame for frame in shown if frame.has("pollgate.tag")]
    assert all(frame.has("pollgate.opened") for frame in sealed)
    under = [frame for frame in sealed if int(frame.one("pollgate.session")) != ticket.session]
    assert len({frame.one("pollgate.session") for frame in under}) == 3
    assert {frame.one("pollgate.issued") for frame in under} == {str(ticket.session)}
    assert all(int(frame.one("pollgate.own_counter")) < 1000 for frame in under)
    texts = {text for frame in sealed for text in frame.all("pollgate.chat.text")}
    assert texts == set(said)
