# SPDX-License-Identifier: BSD-3-Clause
"""Runs tshark with the dissector over datagrams, and gives back what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapWriter

SCRIPT = Path(__file__).parents[2] / "wireshark" / "pollgate.lua"
# From Wireshark 4.4 on, no script that a user names is loaded for root, without a word. So where root tests,
# it is run as nobody, who may still read what root may.
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)
SESSION_PORT, PLAIN_PORT, PLAYER_PORT = 8081, 8080, 40_000


@dataclass(frozen=True)
class Datagram:
    """A UDP payload on its way; `captured` bytes of it are in the capture."""

    payload: bytes
    from_client: bool = True
    port: int = SESSION_PORT
    captured: int | None = None

    def frame(self) -> tuple[bytes, int]:
        """What is captured, and how long it was on the wire."""
        way = ("10.0.0.2", "10.0.0.1", PLAYER_PORT, self.port)
        if not self.from_client:
            way = ("10.0.0.1", "10.0.0.2", self.port, PLAYER_PORT)
        link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        whole = bytes(link / IP(src=way[0], dst=way[1]) / UDP(sport=way[2], dport=way[3]) / self.payload)
        kept = len(whole) if self.captured is None else len(whole) - len(self.payload) + self.captured
        return whole[:kept], len(whole)


def write(path: Path, datagrams: Iterable[Datagram]) -> None:
    """A capture of them."""
    with PcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for second, datagram in enumerate(datagrams):
            frame, length = datagram.frame()
            writer.write_packet(frame, sec=second, usec=0, caplen=len(frame), wirelen=length)


class Shown:
    """What tshark shows of one frame: the names and values of all fields, in order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        """Of the fields below a frame."""
        self.pairs = pairs

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.pairs if key == name]

    def one(self, name: str) -> str:
        """The value of a field that is there once."""
        (value,) = self.all(name)
        return value

    def has(self, name: str) -> bool:
        """Is the field there?"""
        return any(key == name for key, _ in self.pairs)


def _walk(tree: Any) -> Iterator[tuple[str, str]]:
    # json objects as lists of pairs, because tshark repeats keys
    for key, value in tree:
        if isinstance(value, list):
            if value and isinstance(value[0], tuple):
                yield key, ""
                yield from _walk(value)
                continue
            for part in value:
                if isinstance(part, list):
                    yield from _walk(part)
                else:
                    yield key, str(part)
        else:
            yield key, str(value)


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tshark with the dissector on a capture."""
    command = ["tshark", "-X", f"lua_script:{SCRIPT}", "-r", str(path), *arguments]
    environment = dict(os.environ)
    if os.geteuid() == 0:
        command[:0] = AS_NOBODY
        environment["HOME"] = "/nonexistent"  # whose settings are not read, either
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def tshark(path: Path, *arguments: str) -> str:
    """Its output; a word about a mistake in the dissector, or about a key, fails."""
    done = run(path, *arguments)
    assert done.returncode == 0, done.stderr
    assert "Lua" not in done.stderr, done.stderr
    assert "pollgate" not in done.stderr, done.stderr
    assert "Lua Error" not in done.stdout, re.findall(".*Lua Error.*", done.stdout)[0]
    return done.stdout


def show(directory: Path, datagrams: Iterable[Datagram], *options: str) -> list[Shown]:
    """What the dissector shows of each."""
    path = directory / "capture.pcap"
    write(path, datagrams)
    arguments = [word for option in options for word in ("-o", option)]
    text = tshark(path, "-T", "json", *arguments)
    frames: Any = json.loads(text, object_pairs_hook=list)
    return [Shown(list(_walk(frame))) for frame in frames]


def lines(directory: Path, datagrams: Iterable[Datagram], *options: str) -> list[str]:
    """The column Info of each."""
    path = directory / "capture.pcap"
    write(path, datagrams)
    arguments = [word for option in options for word in ("-o", option)]
    return tshark(path, "-T", "fields", "-e", "_ws.col.Info", *arguments).splitlines()
