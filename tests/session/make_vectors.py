# SPDX-License-Identifier: BSD-3-Clause
"""Writes dpdk_app/wire/session_vectors.json: the bytes of the `session` profile, from PROTOCOL.md alone.

    python -m tests.session.make_vectors [OUT.json]

The same bytes every time. All byte strings are hexadecimal, all numbers below 2^53. Shape:

    exchange   client_secret, server_secret -> shares and what both agree on
    derive     session, key, agreed, nonces, shares -> transcript, secret, okm and its parts;
               next_secret: of the key phase that follows
    replay     name, steps: counter, fresh (a fresh one is marked)
    datagrams  name, kind, from_client, session, counter, clear_bytes, key, salt, secret -> datagram
               not sealed: counter, clear_bytes 0, no key; with `proof_key`: what the proof at its end
               is made with
    numbers    name, from_client, session, spare, offset, counter, key, salt, secret -> datagram
               sealed under a spare number: the header has the counter plus offset, modulo 2^32
    data       name, from_client, secret, valid: is a DATA with these messages taken?
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scapy.packet import Packet

from pyshim.protocol import session as layers
from pyshim.protocol.session import Message, Session
from pyshim.protocol.session_crypto import (
    Exchange,
    TrafficKeys,
    Transcript,
    connection_secret,
    key_material,
    next_secret,
    traffic_keys,
)
from pyshim.protocol.session_wire import CLOSED_GAME, CloseReason, Denial, Kind
from tests.session.vector_messages import batches, data, drawn
from tests.vectors import text_of, write

OUT = Path(__file__).resolve().parents[2] / "dpdk_app" / "wire" / "session_vectors.json"

SESSION = 0x00300007  # generation 3, slot 7
KEY = drawn("issued key", 32)
CLIENT_NONCE = drawn("client nonce", 16)
SERVER_NONCE = drawn("server nonce", 16)
COOKIE = drawn("cookie", 24)
CLIENT = Exchange(drawn("client secret", 32))
SERVER = Exchange(drawn("server secret", 32))


def agreed_by(ours: Exchange, theirs: Exchange) -> bytes:
    """What both ends know."""
    agreed = ours.agree(theirs.share)
    assert agreed is not None
    assert agreed == theirs.agree(ours.share)
    return agreed


AGREED = agreed_by(CLIENT, SERVER)
SECRET = connection_secret(
    KEY, AGREED, Transcript(SESSION, CLIENT_NONCE, SERVER_NONCE, CLIENT.share, SERVER.share)
)
KEYS = traffic_keys(SECRET)
NEXT_KEYS = traffic_keys(next_secret(SECRET))
RESET_TOKEN = drawn("reset token", 16)
LAST = (1 << 32) - 1  # counter


def exchanges() -> Iterator[dict[str, str]]:
    """What two secrets agree on."""
    for label in ("", " 2", " 3"):
        client, server = drawn("client secret" + label, 32), drawn("server secret" + label, 32)
        ends = Exchange(client), Exchange(server)
        yield {
            "client_secret": client.hex(),
            "server_secret": server.hex(),
            "client_share": ends[0].share.hex(),
            "server_share": ends[1].share.hex(),
            "agreed": agreed_by(*ends).hex(),
        }


def derivations() -> Iterator[dict[str, Any]]:
    """Secrets and traffic keys from issued keys, exchanges and nonces."""
    for session, label in ((SESSION, ""), (1, " 2"), (0xFFFFFFFF, " 3")):
        key = drawn("issued key" + label, 32)
        client, server = drawn("client nonce" + label, 16), drawn("server nonce" + label, 16)
        ends = Exchange(drawn("client secret" + label, 32)), Exchange(drawn("server secret" + label, 32))
        agreed = agreed_by(*ends)
        transcript = Transcript(session, client, server, ends[0].share, ends[1].share)
        secret = connection_secret(key, agreed, transcript)
        keys = traffic_keys(secret)
        yield {
            "session": session,
            "key": key.hex(),
            "client_nonce": client.hex(),
            "server_nonce": server.hex(),
            "client_share": ends[0].share.hex(),
            "server_share": ends[1].share.hex(),
            "agreed": agreed.hex(),
            "transcript": transcript.digest().hex(),
            "secret": secret.hex(),
            "next_secret": next_secret(secret).hex(),
            "okm": key_material(secret).hex(),
            "client_key": keys.client_to_gateway.key.hex(),
            "client_salt": keys.client_to_gateway.salt.hex(),
            "gateway_key": keys.gateway_to_client.key.hex(),
            "gateway_salt": keys.gateway_to_client.salt.hex(),
        }


def replays() -> Iterator[dict[str, Any]]:
    """Windows, by hand: each step says whether the counter is fresh."""
    cases: dict[str, Sequence[tuple[int, bool]]] = {
        "the first counter is 1": [(0, False), (1, True), (1, False), (2, True), (1, False)],
        "256 behind is too old": [(300, True), (45, True), (44, False), (45, False), (299, True)],
        "a jump empties the window": [(1, True), (2, True), (258, True), (2, False), (3, True), (257, True)],
        "a jump of more than the window": [(10, True), (10_000, True), (9_745, True), (9_744, False)],
        "jumps of a word": [(64, True), (128, True), (64, False), (63, True), (192, True), (63, False)],
        "through 31 bits": [
            (2**31 - 2, True),
            (2**31 + 1, True),
            (2**31, True),
            (2**31 - 1, True),
            (2**31, False),
        ],
        "up to the last": [
            (LAST - 1, True),
            (LAST, True),
            (LAST, False),
            (1, False),
            (0, False),
            (LAST - 2, True),
        ],
        "the window's end, then its beginning": [(256, True), (1, True), (257, True), (1, False), (2, True)],
    }
    for name, steps in cases.items():
        yield {
            "name": name,
            "steps": [{"counter": counter, "fresh": fresh} for counter, fresh in steps],
        }


# ---------------------------------------------------------------- datagrams


def _clear(name: str, datagram: bytes, *, proof_key: bytes = b"") -> dict[str, Any]:
    kind = Kind(datagram[0])
    return {
        "name": name,
        "kind": kind.name,
        "from_client": kind in (Kind.HELLO, Kind.CONFIRM),
        "session": SESSION,
        "counter": 0,
        "clear_bytes": 0,
        "key": "",
        "salt": "",
        "proof_key": proof_key.hex(),
        "secret": "",
        "datagram": datagram.hex(),
    }


def _sealed(
    name: str, header: Session, body: Packet | bytes, counter: int, clear: bytes = b""
) -> dict[str, Any]:
    from_client = name.startswith("client")
    key = _direction(KEYS if header.flags == 0 else NEXT_KEYS, from_client=from_client)
    datagram = layers.seal(header, body, key, counter, clear)
    return {
        "name": name,
        "kind": Kind(header.kind).name,
        "from_client": from_client,
        "session": SESSION,
        "counter": counter,
        "clear_bytes": layers.clear_bytes(header.kind),
        "key": key.key.hex(),
        "salt": key.salt.hex(),
        "proof_key": "",
        "secret": bytes(body).hex(),
        "datagram": datagram.hex(),
    }


def _direction(keys: TrafficKeys, *, from_client: bool) -> Any:
    return keys.client_to_gateway if from_client else keys.gateway_to_client


def _header(kind: Kind, **fields: int) -> Session:
    return Session(kind=int(kind), session=SESSION, **fields)


def _welcome(max_datagram: int) -> layers.Welcome:
    return layers.Welcome(
        player_id=4711,
        expires_in_s=86_400,
        idle_timeout_ms=30_000,
        max_datagram=max_datagram,
        reset_token=RESET_TOKEN,
        padding=bytes(max_datagram - 120),
    )


def datagrams() -> Iterator[dict[str, Any]]:
    """A connection's datagrams, of every kind."""
    yield _clear("hello", bytes(_header(Kind.HELLO) / layers.Hello(client_nonce=CLIENT_NONCE)))
    answer = layers.Challenge(client_nonce=CLIENT_NONCE, cookie=COOKIE)
    challenge = layers.challenge(_header(Kind.CHALLENGE), answer, KEY)
    yield _clear("challenge", challenge, proof_key=KEY)
    clear = SERVER_NONCE + SERVER.share
    for size in (508, 1400):
        confirm = layers.Confirm(
            max_datagram=size, client_nonce=CLIENT_NONCE, cookie=COOKIE, client_share=CLIENT.share
        )
        datagram = layers.prove(_header(Kind.CONFIRM), confirm, KEY)
        yield _clear(f"confirm of {size}", datagram, proof_key=KEY)
        yield _sealed(f"gateway: welcome of {size}", _header(Kind.WELCOME), _welcome(size), 1, clear)
    yield _clear("reset", bytes(_header(Kind.RESET) / layers.Reset(token=RESET_TOKEN)))
    version = layers.Denied(client_nonce=CLIENT_NONCE, reason=int(Denial.VERSION))
    yield _clear("denied, version: without proof", bytes(_header(Kind.DENIED) / version))
    for reason in (Denial.EXPIRED, Denial.REVOKED, Denial.CONSUMED, Denial.FULL):
        denied = layers.Denied(client_nonce=CLIENT_NONCE, reason=int(reason))
        datagram = layers.refuse(_header(Kind.DENIED), denied, KEY)
        yield _clear(f"denied, {reason.name.lower()}", datagram, proof_key=KEY)
    yield _sealed("client: nothing but an acknowledgement", _header(Kind.DATA), layers.Data(ack=1), 1)
    waited = layers.Data(ack=1, ack_delay=400)
    yield _sealed("gateway: an acknowledgement after 25 ms", _header(Kind.DATA), waited, 2)
    unknown = layers.Data(ack=1, ack_delay=65_535)
    yield _sealed("gateway: an acknowledgement after longer than can be said", _header(Kind.DATA), unknown, 3)
    for name, messages in batches():
        from_client = name.startswith("client")
        body = layers.Data(ack=40, ack_bits=0x80000001, wants=int(from_client), messages=messages)
        yield _sealed(name, _header(Kind.DATA), body, 42 if from_client else 9)
    for counter in (2**31 - 1, 2**31, LAST):
        body = layers.Data(ack=counter - 1, ack_bits=0xFFFFFFFF, messages=[Message(type=4)])
        yield _sealed(f"client: packet {counter}", _header(Kind.DATA), body, counter)
    for reason in CloseReason:
        close = layers.Close(reason=int(reason))
        yield _sealed(f"gateway: close, {reason.name.lower()}", _header(Kind.CLOSE), close, 100 + reason)
    kicked = layers.Close(reason=CLOSED_GAME + 7)
    yield _sealed("gateway: close, kicked for the game's reason 7", _header(Kind.CLOSE), kicked, 111)
    for way in ("client", "gateway"):
        body = layers.Data(ack=40)
        yield _sealed(f"{way}: in the second key phase", _header(Kind.DATA, flags=1), body, 50)
    yield _sealed("client: close, left", _header(Kind.CLOSE), layers.Close(reason=1), 77)
    path = layers.Path(token=drawn("token", 8))
    yield _sealed("gateway: path challenge", _header(Kind.PATH_CHALLENGE), path, 200)
    yield _sealed("client: path response", _header(Kind.PATH_RESPONSE), path, 78)
    for sender, size, counter in (("client", 40, 79), ("client", 1400, 80), ("gateway", 1232, 201)):
        probe = layers.Probe(zeros=bytes(size - 28))
        yield _sealed(f"{sender}: probe of {size}", _header(Kind.PROBE), probe, counter)


def numbers() -> Iterator[dict[str, Any]]:
    """Datagrams under a spare number, also where the counter of the header passes 2^32."""
    spare = 0x0000ABCD
    for name, offset, counter in (
        ("client: under its spare", 0x01020304, 1000),
        ("gateway: under the client's spare", 0x05060708, 2000),
        ("client: an offset that passes the end", 0xFFFFFFF0, 1001),
        ("gateway: an offset that passes the end", 0xFFFFF800, 2048),
        ("client: a header's counter of 0", 2**32 - 1002, 1002),
    ):
        from_client, secret = name.startswith("client"), bytes(layers.Data(ack=40))
        key = _direction(KEYS, from_client=from_client)
        length, shown = 12 + len(secret) + 16, (counter + offset) % 2**32
        header = Session(kind=int(Kind.DATA), length=length, session=spare, counter=shown)
        yield {
            "name": name,
            "from_client": from_client,
            "session": SESSION,
            "spare": spare,
            "offset": offset,
            "counter": counter,
            "key": key.key.hex(),
            "salt": key.salt.hex(),
            "secret": secret.hex(),
            "datagram": key.seal(counter, bytes(header), secret).hex(),
        }


def document() -> dict[str, Any]:
    """All of it."""
    return {
        "version": 2,
        "exchange": list(exchanges()),
        "derive": list(derivations()),
        "replay": list(replays()),
        "datagrams": list(datagrams()),
        "numbers": list(numbers()),
        "data": list(data()),
    }


def render() -> str:
    """The file's text."""
    return text_of(document())


if __name__ == "__main__":
    sys.exit(write(sys.argv[1:], OUT, render()))
