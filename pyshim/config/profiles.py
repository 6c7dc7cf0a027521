# SPDX-License-Identifier: BSD-3-Clause
"""Keys that no listener's profile uses, and keys that contradict each other.

Works on unvalidated data and skips what it cannot read, so that all errors are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyshim.config import values
from pyshim.config.clashes import Path, get, items
from pyshim.config.delivery import DeliveryConfig
from pyshim.config.engines import Incompatibility
from pyshim.config.former import asks_for_nothing
from pyshim.config.game_checks import find_game_contradictions
from pyshim.config.listen import PROFILES
from pyshim.config.world_checks import find_world_contradictions
from pyshim.settings import defaults, of

ISSUED_MAX = 1 << 20
_NUMBER_BITS = 32  # of a session: gateway, generation, slot
_GENERATION_BITS_MIN = 4
GATEWAY_BITS = 8
GATEWAY_BITS_MAX = 16

# A program may write every key with its default, which asks for nothing: only other values are refused.
_ISSUED_LIMITS = {one.name: one.default for one in of("ISSUED")}
_NO_SESSION = "no entry of listen has profile: session"


def find_contradictions(config: object) -> list[Incompatibility]:
    """All contradictions in a configuration of plain dicts and lists, which has only the written keys.

    When a profile is unknown, no key is judged by the profiles: the user may mean any of them.
    """
    listeners = list(items(get(config, "listen"), ("listen",)))
    names = [get(listener, "profile") or "plain" for listener, _ in listeners]
    found = [
        incompatibility for listener, path in listeners for incompatibility in _of_listener(listener, path)
    ]
    known = {name for name in names if isinstance(name, str) and name in PROFILES}
    if all(isinstance(name, str) and name in PROFILES for name in names):
        sessions = any(PROFILES[name].sessions for name in known)
        netcode = "netcode" in known
        clients = "session" if sessions else "netcode" if netcode else None
        found += _with_clients(config, clients) if clients else _without_control(config)
        found += _with_sessions(config) if sessions else _without_sessions(config, netcode=netcode)
        found += _with_netcode(config) if netcode else _without_netcode(config)
    return [
        *found,
        *_of_control(get(config, "control")),
        *find_game_contradictions(config),
        *find_world_contradictions(config),
    ]


def _of_listener(listener: object, path: Path) -> Iterator[Incompatibility]:
    name, admission = get(listener, "profile") or "plain", get(listener, "admission")
    if not isinstance(name, str) or name not in PROFILES:
        return
    issued = PROFILES[name].admission == "issued"
    if not issued and admission == "issued":
        text = f"profile {name} has no keys that could be issued; write admission: open, or profile: session"
        yield Incompatibility((*path, "admission"), text)
    if issued and admission == "open":
        text = (
            f"with profile {name} only who was issued a key gets in; write admission: issued, or profile: "
            "plain"
        )
        yield Incompatibility((*path, "admission"), text)
    limits = get(listener, "limits")
    for key, default in _ISSUED_LIMITS.items():
        written = limits.get(key, default) if isinstance(limits, dict) else default
        if not issued and not asks_for_nothing(key, written, default):
            text = (
                f"profile {name} has no such limit, as it has no connections; remove it, or write profile: "
                "session"
            )
            yield Incompatibility((*path, "limits", key), text)


def _is_too_much(capacity: object) -> bool:
    return isinstance(capacity, int) and capacity > ISSUED_MAX


def _with_clients(config: object, profile: str) -> Iterator[Incompatibility]:
    capacity = get(get(config, "sessions"), "capacity")
    if _is_too_much(capacity):
        text = f"found {capacity}, allowed with profile: {profile}: a whole number from 1 to {ISSUED_MAX}"
        yield Incompatibility(("sessions", "capacity"), text)


def _with_sessions(config: object) -> Iterator[Incompatibility]:
    sessions = get(config, "sessions")
    capacity = get(sessions, "capacity")
    if not _is_too_much(capacity):
        yield from _of_gateway(get(sessions, "gateway"), capacity)


def _with_netcode(config: object) -> Iterator[Incompatibility]:
    netcode = get(config, "netcode")
    if get(netcode, "protocol_id") is None:
        text = "missing; profile netcode needs the number that the game's clients have built in"
        yield Incompatibility(("netcode", "protocol_id"), text, missing=True)
    if get(netcode, "private_key_file") is None:
        text = (
            "missing; profile netcode needs the key of its connect tokens: `openssl rand -hex 32` makes one"
        )
        yield Incompatibility(("netcode", "private_key_file"), text, missing=True)


def _without_netcode(config: object) -> Iterator[Incompatibility]:
    netcode = get(config, "netcode")
    for key in ("protocol_id", "private_key_file", "addresses"):
        if get(netcode, key) not in (None, [], ()):
            text = "no entry of listen has profile: netcode; remove it, or add one"
            yield Incompatibility(("netcode", key), text)


def _of_gateway(gateway: object, capacity: object) -> Iterator[Incompatibility]:
    """Whether the gateway's bits fit into a session number beside slot and generation."""
    where = ("sessions", "gateway")
    bits = _number_or(get(gateway, "bits"), GATEWAY_BITS)
    own = _number_or(get(gateway, "id"), 0)
    slots = _number_or(capacity, defaults("PLAN")["session_capacity"])
    slot_bits = (slots - 1).bit_length()
    most = _NUMBER_BITS - _GENERATION_BITS_MIN - slot_bits
    if most < bits <= GATEWAY_BITS_MAX:
        text = (
            f"found {bits}; of the {_NUMBER_BITS} bits of a session's number sessions.capacity: {slots} "
            f"takes {slot_bits}, and at least {_GENERATION_BITS_MIN} tell apart who had one place: write at "
            f"most {most}, or lower sessions.capacity"
        )
        yield Incompatibility((*where, "bits"), text)
    elif 0 <= bits <= GATEWAY_BITS_MAX and own >> bits:
        allowed = f"a whole number from 0 to {(1 << bits) - 1}" if bits else "0 alone"
        room = f"sessions.gateway.bits: {bits}"
        fits = own.bit_length() <= min(most, GATEWAY_BITS_MAX)
        advice = "write another, or more bits" if own > 0 and fits else "write another"
        text = f"found {own}, allowed with {room}: {allowed}; {advice}"
        yield Incompatibility((*where, "id"), text)


def _number_or(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _without_sessions(config: object, *, netcode: bool) -> Iterator[Incompatibility]:
    """Keys that only issued sessions use, where there are none; netcode has handshakes, too."""
    gateway = get(get(config, "sessions"), "gateway")
    for key, default in (("id", 0), ("bits", GATEWAY_BITS)):
        if get(gateway, key) not in (None, default):
            text = f"{_NO_SESSION}, and sessions of plain have no numbers; remove it, or add one"
            yield Incompatibility(("sessions", "gateway", key), text)
    delivery = get(config, "delivery")
    if netcode and get(get(config, "control"), "advertise") is not None:
        text = f"{_NO_SESSION}, whose players are told it; remove it: of netcode there is netcode.addresses"
        yield Incompatibility(("control", "advertise"), text)
    if netcode and isinstance(delivery, dict):
        delivery = {key: value for key, value in delivery.items() if key != "handshake_cpu"}
    if isinstance(delivery, dict) and _asks_for_something(delivery):
        yield Incompatibility(
            ("delivery",), f"{_NO_SESSION}, and plain sends no messages; remove it, or add one"
        )


def _without_control(config: object) -> Iterator[Incompatibility]:
    for key in ("listen", "token_file", "tls", "advertise"):
        if get(get(config, "control"), key) is not None:
            text = f"{_NO_SESSION}, so there is nothing to issue; remove it, or add one"
            yield Incompatibility(("control", key), text)


def _asks_for_something(written: dict[str, object]) -> bool:
    """Whether a written key of `delivery` has another value than it has unwritten."""
    unwritten = DeliveryConfig().model_dump(mode="json")
    return any(
        key != "resends" and not asks_for_nothing(key, value, unwritten.get(key))
        for key, value in written.items()
    )


def _of_control(control: object) -> Iterator[Incompatibility]:
    """Whether token and TLS suit the address: it decides who can connect and who can eavesdrop."""
    listen = get(control, "listen")
    try:
        address = values.parse_control_address(listen) if isinstance(listen, str) else None
    except ValueError:
        return
    is_unix = isinstance(address, values.UnixSocket) or listen is None  # the default
    if is_unix and get(control, "tls") is not None:
        yield Incompatibility(
            ("control", "tls"),
            "a unix socket never leaves this host and has no TLS; remove it, or listen on host:port",
        )
    if isinstance(address, values.Endpoint):
        if get(control, "token_file") is None:
            text = (
                f"missing; {address} is open to every user who can reach it: name a file with a token, or "
                "listen on unix:/path"
            )
            yield Incompatibility(("control", "token_file"), text, missing=True)
        if get(control, "tls") is None and not values.is_loopback(address):
            text = (
                f"missing; {address} is not a loopback address, and issued keys would travel in the clear: "
                "add a certificate and key, or listen on 127.0.0.1 or unix:/path"
            )
            yield Incompatibility(("control", "tls"), text, missing=True)
