# SPDX-License-Identifier: BSD-3-Clause
"""Each message type and each reason is one line of a .def file; what is not made from it says the same."""

from __future__ import annotations

import inspect
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from pyshim import messages
from pyshim._native._pollgate import ffi, lib
from pyshim.config import Config
from pyshim.config.engines import EngineName
from pyshim.config.listen import PROFILES, ProfileName
from pyshim.plan import COMPRESSED_TYPES, REQUEST_TYPES
from pyshim.protocol import plain, session, session_bodies, session_wire
from pyshim.protocol.client import Client
from tests.definitions import EVENT, Type, entries, names, numbers, types
from tests.protocol import document

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = (ROOT / "dpdk_app" / "wire" / "PROTOCOL.md").read_text()
DISSECTOR = (ROOT / "wireshark" / "pollgate.lua").read_text()
CLIENT = (ROOT / "client" / "pollgate_client.h").read_text()


def requests() -> list[tuple[str, ...]]:
    """OWN, RELAYED and GAME, in the order of the file, which is that of the counters."""
    text = (ROOT / "dpdk_app" / "wire" / "messages.def").read_text()
    said = [one for kind in ("OWN", "RELAYED", "GAME") for one in entries("wire/messages.def", kind)]
    return sorted(said, key=lambda entry: text.index(f"({entry[0]}, {entry[1]}, {entry[2]},"))


def compiler_refuses(tmp_path: Path, line: str, instead: str) -> str:
    """What the C compiler says of the check of bodies, with another line of messages.def; "": nothing."""
    text = (ROOT / "dpdk_app" / "wire" / "messages.def").read_text()
    assert text.count(line) == 1
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / "messages.def").write_text(text.replace(line, instead))
    rooms = [tmp_path, ROOT / "dpdk_app", ROOT / "dpdk_app" / "include"]
    command = ["cc", "-std=gnu17", "-fsyntax-only", "-I", rooms[0], "-I", rooms[1], "-I", rooms[2]]
    source = ROOT / "dpdk_app" / "message" / "session_check.c"
    return subprocess.run([*command, source], capture_output=True, text=True, check=False, timeout=60).stderr


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("skill, NEVER, 4, URGENT", "skill, NEVER, 5, URGENT"),
        ("BODY(bulk, 4, 65532,", "BODY(bulk, 3, 65532,"),
    ],
    ids=["behind the end", "shorter than it"],
)
def test_a_type_whose_shortest_body_does_not_name_its_target_is_not_built(
    tmp_path: Path, line: str, instead: str
) -> None:
    assert "names its target" in compiler_refuses(tmp_path, line, instead)


def test_a_type_whose_shortest_body_ends_with_its_target_is_built(tmp_path: Path) -> None:
    line = "BODY(bulk, 4, 65532,"
    assert compiler_refuses(tmp_path, line, line) == ""


# ---------------------------------------------------------------- what the data plane made of it


@pytest.mark.parametrize(
    ("name", "first", "end", "expected"),
    [
        (lib.pg_message_name, 0, lib.PG_MESSAGES, names("stats/reasons.def", "HANDLED")),
        (lib.pg_drop_name, 1, lib.PG_DROPS, names("stats/reasons.def", "DROP")),
        (lib.pg_tx_drop_name, 0, lib.PG_TX_DROPS, names("stats/reasons.def", "TX_DROP")),
        (lib.pg_loss_name, 1, lib.PG_LOSSES, names("stats/reasons.def", "LOSS")),
        (lib.pg_close_name, 1, lib.PG_CLOSE_REASONS, names("wire/closed.def", "CLOSED")),
        (lib.pg_denial_name, 2, lib.PG_DENIALS, names("wire/closed.def", "DENIED")),
        (lib.pg_refusal_name, 1, lib.PG_REFUSALS, names("wire/closed.def", "REFUSED")),
        (lib.pg_request_name, 0, lib.PG_REQUESTS, [name for _, name, *_ in requests()]),
        (lib.pg_compressible_name, 0, lib.PG_COMPRESSIBLE, names("wire/messages.def", "COMPRESSED")),
        (lib.pg_profile_name, 0, lib.PG_PROFILES, names("wire/profiles.def", "PROFILE")),
        (lib.pg_engine_name, 0, lib.PG_ENGINES, names("include/engines.def", "ENGINE")),
    ],
    ids=[
        "handled",
        "drop",
        "tx_drop",
        "loss",
        "closed",
        "denied",
        "refused",
        "request",
        "compressed",
        "profile",
        "engine",
    ],
)
def test_labels_are_those_of_the_lists_in_their_order(
    name: Callable[[int], object], first: int, end: int, expected: list[str]
) -> None:
    numbered = [name(n) for n in range(first, end)]  # a number that is nobody's any more has no name
    assert [ffi.string(text).decode() for text in numbered if text != ffi.NULL] == expected
    assert name(end) == ffi.NULL


def test_the_configuration_has_the_profiles_of_the_list() -> None:
    assert list(PROFILES) == list(get_args(ProfileName)) == names("wire/profiles.def", "PROFILE")


def test_the_configuration_has_the_engines_of_the_list() -> None:
    assert set(get_args(EngineName)) == set(names("include/engines.def", "ENGINE"))


def test_events_are_what_is_relayed_or_given_or_of_the_game() -> None:
    events = {ffi.string(lib.pg_event_name(n)).decode() for n in range(lib.PG_EVENTS)}
    assert events == {
        one for kind in ("RELAYED", "GIVEN", "GAME") for one in names("wire/messages.def", kind)
    }


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        *(("stats/reasons.def", kind) for kind in ("HANDLED", "DROP", "TX_DROP", "LOSS")),
        *(("wire/closed.def", kind) for kind in ("CLOSED", "DENIED", "REFUSED")),
    ],
)
def test_a_label_is_its_enumerator_in_small_letters(file: str, kind: str) -> None:
    labels = {upper: lower for upper, lower, *_ in entries(file, kind)}
    assert labels
    assert labels == {upper: upper.lower() for upper in labels}


def test_the_version_of_the_layout_stands_in_one_place() -> None:
    sources = [file for half in ("dpdk_app", "pyshim") for file in (ROOT / half).rglob("*.h")]
    numbered = [file.name for file in sources if re.search(r"define PG_ABI_VERSION +\d", file.read_text())]
    assert numbered == ["pollgate.h"]


# ---------------------------------------------------------------- what a script writes from them


@pytest.mark.parametrize("file", document.FILES)
def test_what_is_written_from_the_list_is_as_the_script_writes_it(file: str) -> None:
    text = (ROOT / file).read_text()
    assert document.FILES[file](text) == text, f"{file}: run .venv/bin/python -m tests.protocol.document"


def test_the_package_reads_the_list_as_the_tests_do() -> None:
    read = {
        one.number: (one.upper, one.title, one.compressed != "NEVER", one.target) for one in messages.MESSAGES
    }
    assert read == {
        one.number: (one.name, one.title, one.compressed, one.target) for one in types() if not one.has_sender
    }


@pytest.mark.parametrize("one", [one for one in messages.MESSAGES if one.body], ids=lambda one: one.upper)
def test_the_length_of_a_body_is_that_of_its_fields(one: messages.Message) -> None:
    assert one.body is not None
    fixed = {"u8": 1, "u16": 2, "u32": 4, "f32": 4, "text": 2 + 1, "bytes": 0}
    least = sum(fixed[part.kind] * (part.count or 1) for part in one.body.fields)
    assert one.body.least_bytes == least
    is_open = any(part.kind in ("text", "bytes") for part in one.body.fields)
    assert (one.body.most_bytes > least) == is_open


@pytest.mark.parametrize("one", messages.REQUESTS, ids=lambda one: one.upper)
def test_a_body_of_another_length_is_refused_in_python_and_one_of_the_shortest_taken(
    one: messages.Message,
) -> None:
    assert one.body is not None
    least, most = one.body.least_bytes, one.body.most_bytes
    kind = session_wire.MessageType(one.number)
    with_text = one.body.fields and one.body.fields[-1].kind == "text"
    shortest = bytes(least - 3) + b"\1\0a" if with_text else bytes(least)
    session_bodies.check_body(kind, shortest, session_wire.REQUESTS)
    for wrong in (least - 1, most + 1):
        if 0 <= wrong <= session_wire.BODY_MAX_BYTES:
            with pytest.raises(session_wire.WireError):
                session_bodies.check_body(kind, bytes(wrong), session_wire.REQUESTS)


def test_pythons_channels_are_those_of_the_list_where_the_game_says_nothing() -> None:
    compared = set()
    for one in messages.REQUESTS:
        said = getattr(Client, one.name, None)
        if said is not None and "channel" in (known := inspect.signature(said).parameters):
            assert known["channel"].default == one.channel
            compared.add(one.name)
    assert compared >= {"chat", "bulk"}


@pytest.mark.parametrize(("seed", "events"), [("listed", False), ("listed-events", True)])
def test_the_fuzzers_begin_with_every_type(seed: str, events: bool) -> None:
    seeds = (ROOT / "dpdk_app" / "tests" / "corpus" / "fuzz_opened" / seed).read_bytes()
    sent = [one for one in messages.MESSAGES if (one.event is not None if events else one.is_request)]
    for one in sent:
        assert one.body is not None
        number, length = one.number, one.body.least_bytes
        if events and one.kind == "RELAYED":
            number, length = number + EVENT, length + 4
        message = struct.pack("<BBH", number, 0, length) + bytes(length)
        assert message in seeds, f"{one.upper}: run .venv/bin/python dpdk_app/tests/make_corpus.py"


# ---------------------------------------------------------------- what is written by hand


def test_pythons_types_are_those_of_the_list() -> None:
    assert {kind.name: int(kind) for kind in session_wire.MessageType} == {
        one.name: one.number for one in types()
    }
    assert {int(kind) for kind in session_wire.COMPRESSIBLE} == {
        one.number for one in types() if one.compressed
    }
    assert session_wire.EVENT == EVENT


def test_the_plain_profiles_types_have_the_same_numbers_and_titles() -> None:
    assert {kind.name: int(kind) for kind in plain.MessageType}.items() <= {
        one.title: one.number for one in types()
    }.items()


def test_pythons_reasons_are_those_of_the_list() -> None:
    assert {reason.name: int(reason) for reason in session_wire.CloseReason} == numbers("CLOSED")
    assert {reason.name: int(reason) for reason in session_wire.Denial} == numbers("DENIED")
    assert {reason.name: int(reason) for reason in session_wire.BusyReason} == numbers("REFUSED")


@pytest.mark.parametrize(
    "one", [one for one in types() if one.name not in ("HEARTBEAT", "WORLD_STATE")], ids=lambda one: one.name
)
def test_scapy_has_a_layer_for_every_body_that_names_whom_it_is_from_and_for(one: Type) -> None:
    layer = session.BODIES[session_wire.MessageType(one.number)]
    fields = [field.name for field in layer.fields_desc]
    assert (fields[0] == "sender_id") == one.has_sender
    if one.target is not None:
        before = bytes(layer(target_id=0x01020304))[: one.target + 4]
        assert before[one.target :] == bytes([4, 3, 2, 1])


def test_the_dissector_has_the_types_of_the_list() -> None:
    assert _lua_table("MESSAGES") == {one.number: f'"{one.title}"' for one in types()}
    assert set(_lua_table("COMPRESSIBLE")) == {one.number for one in types() if one.compressed}
    assert set(_lua_table("HAS_SENDER")) == {one.number for one in types() if one.has_sender}


def test_the_dissector_has_the_reasons_of_the_list() -> None:
    closes = {number: f'"{name.lower()}"' for name, number in numbers("CLOSED").items()}
    assert _lua_table("CLOSES") == closes
    assert [said.split()[0] for said in _lua_list("DENIALS")] == names("wire/closed.def", "DENIED")


def test_the_document_has_the_types_of_the_list() -> None:
    _, _, table = PROTOCOL.partition("| type | name | body |\n|---|---|---|\n")
    rows = re.findall(r"^\| ([0-9, to]+) \| ([A-Z_, ]+) \| .* \|$", table.partition("\n\n")[0], re.MULTILINE)
    documented = {
        int(number.split()[0]): title  # of "64 to 199" the first
        for left, right in rows
        for number, title in zip(left.split(", "), right.split(", "), strict=True)
    }
    assert documented == {one.number: one.title for one in types()}


def test_the_document_says_of_whatever_is_for_somebody_that_it_may_be_for_everyone_near() -> None:
    for one in types():
        if one.target is not None:
            (row,) = re.findall(rf"^\| {one.number} \| {one.title} \| (.*) \|$", PROTOCOL, re.MULTILINE)
            assert "u32 target_id (0: everyone near)" in row


def test_the_document_has_the_reasons_of_the_list() -> None:
    closes, denials = (_reasons(f"| {at} | u8 reason | ") for at in (12, 28))
    assert closes == numbers("CLOSED")
    assert denials == numbers("DENIED")
    refusals = _reasons("| 4 | u8 reason | ")
    assert sorted(refusals.values()) == sorted(numbers("REFUSED").values())


def _reasons(row: str) -> dict[str, int]:
    """What a row of PROTOCOL.md says of reasons: a number and a word each."""
    (said,) = re.findall(rf"^{re.escape(row)}(.*) \|$", PROTOCOL, re.MULTILINE)
    without = re.sub(r"\(.*?\)", "", said)
    listed = without.partition(";")[0]  # behind it: what is not one reason
    return {word.upper(): int(number) for number, word in re.findall(r"\b(\d+)\s+([a-z]+)", listed)}


def test_the_client_has_the_reasons_of_the_list_and_its_events_have_a_type() -> None:
    closed = dict(re.findall(r"PGC_CLOSED_(\w+) = (\d+)", CLIENT))
    assert {name: int(number) for name, number in closed.items() if int(number) < 20} == numbers("CLOSED")
    denied = dict(re.findall(r"PGC_DENIED_(\w+) = (\d+)", CLIENT))
    assert {name: int(number) - 20 for name, number in denied.items()} == numbers("DENIED")
    events = {
        entry[0] for kind in ("RELAYED", "GIVEN", "GAME") for entry in entries("wire/messages.def", kind)
    }
    assert events <= set(re.findall(r"PGC_EVENT_(\w+)", CLIENT))


def test_the_configuration_has_a_rate_and_a_length_for_every_type() -> None:
    delivery = Config.model_fields["delivery"].annotation
    assert delivery is not None
    fields = delivery.model_fields
    assert set(_keys(fields["messages_pps"])) == {name for _, name, *_ in requests()}
    assert set(_keys(fields["messages_burst"])) == {name for _, name, *_ in requests()}
    assert set(_keys(fields["compress"])) == set(names("wire/messages.def", "COMPRESSED"))


def test_a_plan_lists_types_in_the_order_of_the_data_plane() -> None:
    assert list(REQUEST_TYPES) == [name for _, name, *_ in requests()]
    assert list(COMPRESSED_TYPES) == names("wire/messages.def", "COMPRESSED")


def test_the_metrics_document_says_why_each_message_is_lost() -> None:
    document = (ROOT / "pyshim" / "METRICS.md").read_text()
    (said,) = re.findall(r"Of `session_messages_lost`:(.*?)\n- ", document, re.DOTALL)
    assert sorted(re.findall(r"`([a-z_]+)`", said)) == sorted(names("stats/reasons.def", "LOSS"))


def _keys(field: object) -> list[str]:
    return list(field.annotation.model_fields)  # type: ignore[attr-defined]


def _lua_table(name: str) -> dict[int, str]:
    (body,) = re.findall(rf"^local {name} = \{{(.*?)\}}", DISSECTOR, re.MULTILINE | re.DOTALL)
    return {int(number): value for number, value in re.findall(r'\[(\d+)\] = ("[^"]*"|true)', body)}


def _lua_list(name: str) -> list[str]:
    (body,) = re.findall(rf"^local {name} = \{{(.*?)\}}", DISSECTOR, re.MULTILINE | re.DOTALL)
    return re.findall(r'"([^"]*)"', body)
