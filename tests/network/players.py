# SPDX-License-Identifier: BSD-3-Clause
"""Players with ordinary UDP sockets, and an appliance for them at the other end of a wire."""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyshim.host.pmd import find_pmd_directory
from tests.gate import Gate, Samples
from tests.network.namespace import GATE4, GATE6, GATE_INTERFACE, PLAYERS4, PLAYERS6, Namespace, Wire

PORT = 8080
ACK = 100
MOVE, ATTACK, CHAT, HEARTBEAT, SKILL = range(1, 6)
KINDS = ("move", "attack", "chat", "heartbeat", "skill")
ABI_OF_25_11 = 26
ANSWER_TIMEOUT_S = 60.0  # how long a test waits for what must come: a bound, not a measurement
IN_FLIGHT = 200  # messages without an answer; far fewer than the rings hold, so that none is ever lost

# ---------------------------------------------------------------- messages


def message(kind: int, body: bytes, timestamp: int = 0) -> bytes:
    """A message of the plain profile around its body."""
    return struct.pack("<IIQ", kind, 16 + len(body), timestamp) + body


def heartbeat(player: int, timestamp: int = 0) -> bytes:
    return message(HEARTBEAT, struct.pack("<I", player), timestamp)


def chat(player: int, text: bytes) -> bytes:
    return message(CHAT, struct.pack("<IIBBH", player, 0, 3, 0, len(text)) + text, 1 << 63)


def every_kind(player: int) -> tuple[bytes, ...]:
    """One message of each type, in the order of KINDS; no field is zero where another value is allowed."""
    return (
        message(MOVE, struct.pack("<I6f", player, 1.5, -2.25, 3e38, -0.0, 1e-40, 7.0), 0x0123456789ABCDEF),
        message(ATTACK, struct.pack("<III3f", player, 77, 5, 0.0, 1.0, -1.0), 2**64 - 1),
        chat(player, "héllo ✓".encode()),
        heartbeat(player, 12345),
        message(SKILL, struct.pack("<III", player, 9, 78), 1),
    )


def acknowledgement(sent: bytes) -> bytes:
    """What must come back: the same bytes, with the type plus 100."""
    return bytes([sent[0] + ACK]) + sent[1:]


# ---------------------------------------------------------------- players


class Player:
    """One connected UDP socket: the kernel hands it only what comes from where it sends to."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.socket = sock
        self.id = number

    def send(self, *messages: bytes) -> None:
        for one in messages:
            self.socket.send(one)

    def receive(self) -> bytes:
        """The next datagram; a failure when none comes."""
        return self.socket.recv(65536)

    def plays(self, *messages: bytes) -> None:
        """Send and be acknowledged, byte for byte and in order."""
        self.send(*messages)
        self.is_acknowledged(*messages)

    def is_acknowledged(self, *messages: bytes) -> None:
        """Get the answers to what was sent, byte for byte and in order."""
        for one in messages:
            answer = self.receive()
            assert answer == acknowledgement(one), (self.socket, one, answer)

    def is_ignored(self, *messages: bytes) -> None:
        """Send, and get nothing for it: the next answer is that to a heartbeat sent afterwards."""
        marker = heartbeat(self.id, time.monotonic_ns())
        self.send(*messages, marker)
        assert self.receive() == acknowledgement(marker)

    def catch_up(self) -> None:
        """Skip the answers to everything that was sent before; where those are many, one may be lost."""
        deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
        self.socket.settimeout(1.0)
        try:
            while not self._has_caught_up():
                assert time.monotonic() < deadline_s, "nothing that is sent is answered"
        finally:
            self.socket.settimeout(ANSWER_TIMEOUT_S)

    def _has_caught_up(self) -> bool:
        marker = heartbeat(self.id, time.monotonic_ns())
        self.send(marker)
        with contextlib.suppress(TimeoutError):
            while self.receive() != acknowledgement(marker):
                pass
            return True
        return False


class Crowd:
    """Makes players and closes their sockets.

    Each has a number and a source port that nobody had before: a session outlives the socket that made it.
    """

    _numbers = itertools.count(1024)

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._stack = contextlib.ExitStack()

    def close(self) -> None:
        self._stack.close()

    def players(
        self,
        count: int,
        *,
        family: int = 4,
        source: str = "",
        source_port: int = 0,
        target: str = "",
        port: int = PORT,
    ) -> list[Player]:
        """New players, by family 4 or 6, optionally from and to addresses and ports that the test chose."""

        def connect() -> list[Player]:
            made = []
            for number in itertools.islice(self._numbers, count):
                sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
                self._stack.enter_context(sock)
                sock.settimeout(ANSWER_TIMEOUT_S)
                sock.bind((source or (PLAYERS4 if family == 4 else PLAYERS6), source_port or number))
                sock.connect((target or (GATE4 if family == 4 else GATE6), port))
                made.append(Player(sock, number))
            return made

        return self._namespace.call(connect)

    def player(self, **how: Any) -> Player:
        return self.players(1, **how)[0]


def all_play(players: Sequence[Player], kinds: Callable[[int], Iterable[bytes]] = every_kind) -> int:
    """Every player sends and is acknowledged, many at a time; returns how many messages that were.

    A first message of each goes before the others: as long as the players' kernel asks for our MAC, what is
    sent later overtakes what waits for the answer, and the order would be the kernel's.
    """
    per_player = len(tuple(kinds(0)))
    for start in range(0, len(players), step := max(1, IN_FLIGHT // per_player)):
        group = [(player, tuple(kinds(player.id))) for player in players[start : start + step]]
        for part in (slice(1), slice(1, None)):
            for player, messages in group:
                player.send(*messages[part])
            for player, messages in group:
                player.is_acknowledged(*messages[part])
    return per_player * len(players)


class Traffic:
    """Players that go on sending heartbeats from a thread of their own; a context manager ends that.

    The timestamp of a message is when it was sent (time.monotonic_ns), and comes back unchanged.
    """

    PAUSE_S = 0.002  # between rounds of PER_ROUND messages: a steady, modest load
    PER_ROUND = 4

    def __init__(self, players: Sequence[Player]) -> None:
        self._players = players
        self._told = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: BaseException | None = None
        self.sent = 0
        self.acknowledged = 0
        self._newest_ns = 0  # sending time of the newest message that was acknowledged

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Send no more. Answers that are still on their way are taken by `settle`."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._error is not None:
            raise self._error

    def settle(self, expected: Callable[[], int], timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """After the end, take answers until as many came as expected; a failure when they do not come."""
        deadline = time.monotonic() + timeout_s
        with self._selector() as selector:
            while self.acknowledged != expected():
                assert time.monotonic() < deadline, f"{self.acknowledged} answers, expected {expected()}"
                self._take(selector, 0.05)

    def await_answer(self, timeout_s: float) -> None:
        """Wait until a message that is sent from now on is acknowledged."""
        moment_ns = time.monotonic_ns()
        with self._told:
            came = self._told.wait_for(lambda: self._newest_ns > moment_ns or self._error, timeout_s)
            assert came, f"no message sent since was acknowledged within {timeout_s} s"

    def await_sent(self, more: int, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Wait until that many more messages were sent."""
        with self._told:
            wanted = self.sent + more
            assert self._told.wait_for(lambda: self.sent >= wanted or self._error, timeout_s)

    @contextlib.contextmanager
    def _selector(self) -> Iterator[selectors.DefaultSelector]:
        with selectors.DefaultSelector() as selector:
            for player in self._players:
                selector.register(player.socket, selectors.EVENT_READ)
            yield selector

    def _run(self) -> None:
        try:
            with self._selector() as selector:
                while not self._ending.is_set():
                    for i in range(self.PER_ROUND):
                        player = self._players[(self.sent + i) % len(self._players)]
                        _insist(player, heartbeat(player.id, time.monotonic_ns()))
                    with self._told:
                        self.sent += self.PER_ROUND
                        self._told.notify_all()
                    self._take(selector, 0)
                    self._ending.wait(self.PAUSE_S)
        except BaseException as error:
            self._error = error
            with self._told:
                self._told.notify_all()

    def _take(self, selector: selectors.DefaultSelector, timeout_s: float) -> None:
        for key, _ in selector.select(timeout_s):
            try:
                answer = key.fileobj.recv(65536)  # type: ignore[union-attr]
            except ConnectionRefusedError:
                continue  # of a message that was sent while nobody had a socket there
            kind, size, timestamp = struct.unpack_from("<IIQ", answer)
            assert (kind, size) == (HEARTBEAT + ACK, len(answer))
            with self._told:
                self.acknowledged += 1
                self._newest_ns = max(self._newest_ns, timestamp)
                self._told.notify_all()


def _insist(player: Player, message: bytes) -> None:
    """Send, even if a kernel says that nobody listens: that is of an earlier message, and this one stayed."""
    try:
        player.send(message)
    except ConnectionRefusedError:
        player.send(message)


# ---------------------------------------------------------------- the appliance


class NetworkGate(Gate):
    """An appliance inside a namespace; its metrics are reached by going in."""

    def __init__(
        self,
        namespace: Namespace,
        config: Mapping[str, Any],
        directory: Path,
        *,
        args: Sequence[str] = (),
        prefix: Sequence[str] = (),
        wait_ready: bool = True,
    ) -> None:
        super().__init__(
            config, directory, args=args, prefix=(*namespace.prefix, *prefix), wait_ready=wait_ready
        )
        self._namespace = namespace

    def get(self, path: str) -> tuple[int, str]:
        return self._namespace.call(lambda: super(NetworkGate, self).get(path))


def fragments_are_joined() -> bool:
    """Whether the kernel joins IPv4 fragments before af_packet has them on its one queue.

    It does for the sockets of a fanout group, which a single queue is up to DPDK 25.07.
    """
    directory = find_pmd_directory()
    assert directory is not None
    abi = int(directory.name.removeprefix("pmds-").partition(".")[0])
    return abi < ABI_OF_25_11


def config(*, engine: str = "dpdk", device: str = "", **changes: Any) -> dict[str, Any]:
    """A configuration for the wire. `device` is added to the device's arguments; others replace sections."""
    port: dict[str, Any] = {"name": "game0", "address": [f"{GATE4}/24", f"{GATE6}/64"]}
    settings: dict[str, Any] = {"engine": engine, "sessions": {"capacity": 4096, "idle_timeout_s": 600}}
    if engine == "dpdk":
        # A ring of 2,048 frames: a busy machine may keep a poll loop waiting for a while.
        port["device"] = f"net_af_packet0,iface={GATE_INTERFACE},framecnt=2048{device}"
        settings["eal"] = {"memory_mib": 128}
    port |= changes.pop("port", {})
    return {**settings, "ports": [port], **changes}


@contextlib.contextmanager
def serving(
    wire: Wire,
    settings: Mapping[str, Any],
    directory: Path,
    *,
    args: Sequence[str] = (),
    prefix: Sequence[str] = (),
    beside_another: bool = False,
) -> Iterator[NetworkGate]:
    """A running appliance that must end well, with its books balanced.

    Two with devices of DPDK on one wire both get every frame: what the one refuses, the other one answers. So
    there is one at a time, if not `beside_another`.
    """
    alone = settings.get("engine", "dpdk") == "dpdk" and not beside_another
    assert not (alone and wire.served), "another appliance serves on this wire: take a wire of its own"
    before, wire.served = wire.served, wire.served or settings.get("engine", "dpdk") == "dpdk"
    try:
        with NetworkGate(wire.gate, settings, directory, args=args, prefix=prefix) as gate:
            say_hello(wire.players)
            yield gate
            if gate.process.poll() is None:
                gate.stop()
            ended_well(gate)
    finally:
        wire.served = before


def ended_well(gate: Gate) -> None:
    """Exit code 0 and a summary in which nothing is unaccounted for."""
    assert gate.process.returncode == 0, gate.stderr
    summary = gate.summary
    received, sent = (total(summary[f"pollgate_port_{way}_packets_total"]) for way in ("receive", "transmit"))
    assert received == total(summary["pollgate_received_packets_total"])
    assert received == sum(
        total(summary[f"pollgate_{end}_total"])
        for end in ("messages", "drops", "to_kernel_packets", "forwarded_packets")
    )
    assert sent == total(summary["pollgate_transmit_sent_packets_total"])
    assert total(summary["pollgate_transmit_offered_packets_total"]) == sent + total(
        summary["pollgate_transmit_drops_total"]
    )


def is_balanced(samples: Samples, **labels: str) -> bool:
    """Whether a live scrape adds up; one that is taken between two counters of a moving packet does not."""

    def value(name: str) -> float:
        return samples.value(f"pollgate_{name}_total", **labels)

    def once_counted(name: str) -> float:
        return sum(count for _, count in samples.matching(f"pollgate_{name}_total", **labels))

    def handed(direction: str) -> float:
        return samples.value("pollgate_handed_over_packets_total", direction=direction, **labels)

    elsewhere = once_counted("to_kernel_packets") + once_counted("forwarded_packets")
    ended = value("messages") + value("drops") + elsewhere + handed("out")
    return value("received_packets") + handed("in") == ended and value("transmit_offered_packets") == value(
        "transmit_sent_packets"
    ) + value("transmit_drops")


def total(tree: Any) -> int:
    """Sum of the numbers in a nested object."""
    return sum(map(total, tree.values())) if isinstance(tree, dict) else int(tree)


@contextlib.contextmanager
def changed(gate: Gate, during: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[None]:
    """Reload another configuration for the time of the `with` block."""

    def use(settings: Mapping[str, Any]) -> None:
        before = gate.stderr.count("configuration reloaded")
        gate.write_config(settings)
        gate.reload()
        gate.wait_until(lambda: gate.stderr.count("configuration reloaded") > before)

    use(during)
    try:
        yield
    finally:
        use(after)


class Growth:
    """How much a metric has grown since this was made."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._before = gate.metrics()

    def of(self, name: str, **labels: str) -> int:
        now = self._gate.metrics()
        return int(now.value(name, **labels) - self._before.value(name, **labels))

    def dropped(self, reason: str) -> int:
        return self.of("pollgate_drops_total", reason=reason)

    def refused(self) -> int:
        """Drops, but for what kernels say to each other where an engine hears that, too."""
        name, elsewhere = "pollgate_drops_total", "not_for_us"

        def counted(samples: Samples) -> int:
            return int(samples.value(name) - samples.value(name, reason=elsewhere))

        return counted(self._gate.metrics()) - counted(self._before)

    def handled(self, kind: str) -> int:
        return self.of("pollgate_messages_total", type=kind)


OWN_PACKETS = 6  # with an IPv4 and an IPv6 address: each announced, and a group reported, twice


def settled(gate: Gate) -> Growth:
    """Growth from when the gate has said what it says by itself, and counted what it has answered.

    It announces itself again two seconds after its start; and a player may have an answer before it counts.
    """

    def has_settled() -> bool:
        samples = gate.metrics()
        said = samples.value("pollgate_transmit_originated_packets_total")
        return said >= OWN_PACKETS and is_balanced(samples)

    gate.wait_until(has_settled)
    return Growth(gate)


def say_hello(namespace: Namespace) -> None:
    """Resolve the gate's addresses: what the kernel holds back until then may leave in another order."""
    for address in (GATE4, GATE6):
        namespace.run("ping", "-n", "-c", "1", "-W", "10", address)
