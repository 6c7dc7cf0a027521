# SPDX-License-Identifier: BSD-3-Clause
"""A gateway that does what PROTOCOL.md says, or has one fault: the kit passes it, or finds that."""
# ruff: noqa: PLR0911, PLR0912, PLR0917 - a branch for each fault

from __future__ import annotations

import hmac
import math
import os
import struct
from collections.abc import Iterator
from typing import Any

from pyshim.conformance import bodies, layout
from pyshim.conformance.layout import Header, Kind, Limit, Message, Secret, Welcome
from pyshim.conformance.peer import Traffic
from pyshim.protocol.client.ticket import Ticket
from tests.conformance.model_gateway_talk import Issued, Line, TalkingGateway
from tests.conformance.virtual import Reply

IDLE_MS = 10_000
CHAT = Limit(bodies.CHAT, 8, 480)
BULK = Limit(bodies.BULK, 200, 60_000)
GATEWAY = 7 << 24


class ModelGateway(TalkingGateway):
    """Datagrams in, datagrams out."""

    def __init__(self, fault: str = "") -> None:
        super().__init__(fault)
        self.issued: dict[int, Issued] = {}
        self._secret = os.urandom(32)
        self._numbers = iter(range(GATEWAY + 1, GATEWAY + 100_000, 3))

    # ------------------------------------------------------------ issuing, as the kit asks for it

    def issue(self, *, ttl_s: int = 3600, once: bool = False) -> Ticket:
        number = next(self._numbers)
        key = os.urandom(32)
        self.issued[number] = Issued(number & 0xFFFF, key, self.now + ttl_s, once)
        return Ticket(number, key, "127.0.0.1", 1)

    def give_back(self, ticket: Ticket) -> None:
        pass

    def revoke(self, session: int) -> None:
        issued = self.issued[session]
        issued.revoked = True
        for line in issued.connections:
            if not self.has("revoked-unclosed"):
                self._close(line, 4)

    # ------------------------------------------------------------ rim

    def receive(self, datagram: bytes, source: Any, now: float) -> list[Reply]:
        self.now = now
        self._take(datagram, source)
        return self._flush()

    def due(self, now: float) -> list[Reply]:
        self.now = now
        for line in self._lines():
            self._tend(line)
        return self._flush()

    def next_due(self) -> float:
        return min((self._next(line) for line in self._lines()), default=math.inf)

    def _flush(self) -> list[Reply]:
        out, self._out = self._out, []
        return out

    def _lines(self) -> Iterator[Line]:
        for issued in self.issued.values():
            yield from (line for line in issued.connections if not line.is_over and line.closed_s is None)

    def _next(self, line: Line) -> float:
        times = [line.owes_s, line.heard_s + IDLE_MS / 1000 * (3 if self.has("idle-late") else 1)]
        times += [at + line.backoff_s for at, _ in line.under_way.values()]
        times.append(line.issued.expires_s)
        if line.queue and (line.queue[0].id is None or len(line.under_way) < 32):
            times.append(self.now)
        return max(self.now, min(times))

    def _tend(self, line: Line) -> None:
        if self.now >= line.issued.expires_s:
            if self.has("expired-unclosed"):
                line.is_over = True
            else:
                self._close(line, 3)
            return
        if self.now >= line.heard_s + IDLE_MS / 1000 * (3 if self.has("idle-late") else 1):
            self._close(line, 2)
            return
        for counter, (at, messages) in list(line.under_way.items()):
            if self.now >= at + line.backoff_s:
                del line.under_way[counter]
                if not self.has("never-repeats"):
                    line.queue[:0] = messages
                limit = 0.02 if self.has("repeats-in-bursts") else 1.0
                line.backoff_s = min(limit, 2 * line.backoff_s)
                if self.has("ends-by-count") and line.backoff_s >= 1.0:
                    self._close(line, 2)
                    return
        if (line.queue and (line.queue[0].id is None or len(line.under_way) < 32)) or line.owes_s <= self.now:
            self._data(line)

    # ------------------------------------------------------------ clear datagrams

    def _take(self, datagram: bytes, source: Any) -> None:
        if len(datagram) < 12:
            return
        header = layout.read_header(datagram)
        if header.length != len(datagram) and not self.has("takes-wrong-lengths"):
            return
        if header.session >> 24 != GATEWAY >> 24 and not self.has("answers-for-others"):
            return
        if header.kind == Kind.HELLO or (self.has("answers-any-kind") and len(datagram) == 72):
            self._hello(datagram, header, source)
        elif header.kind == Kind.CONFIRM:
            self._confirm(datagram, header, source)
        elif header.kind in layout.SEALED and header.kind in layout.FROM_CLIENT:
            self._sealed(datagram, header, source)
        elif self.has("answers-forgeries") and header.kind not in (Kind.WELCOME, 0):
            self._out.append((layout.pack_reset(header.session, bytes(16)), source))

    def _hello(self, datagram: bytes, header: Header, source: Any) -> None:
        if len(datagram) != 72 and not self.has("takes-wrong-lengths"):
            return
        if header.flags or header.counter or (any(datagram[32:]) and not self.has("takes-padding")):
            return
        version, reserved = struct.unpack_from("<HH", datagram, 12)
        nonce = datagram[16:32]
        if reserved:
            return
        if version != layout.VERSION:
            if not self.has("denies-no-version"):
                self._out.append((layout.pack_denied(header.session, nonce, 2, None), source))
            return
        issued = self.issued.get(header.session)
        if issued is None and self.has("silent-for-unknown"):
            return
        key = issued.key if issued is not None else self._secret
        if self.has("challenge-unproved"):
            key = bytes(32)
        cookie = self._cookie(header.session, nonce, source, self.now)
        answer = layout.pack_challenge(header.session, nonce, cookie, key)
        if self.has("challenge-long"):
            answer = answer[:2] + struct.pack("<H", 69) + answer[4:] + b"\0"
        if self.has("header-flags"):
            answer = answer[:1] + b"\4" + answer[2:]
        self._out.append((answer, source))

    def _cookie(self, session: int, nonce: bytes, source: Any, at: float) -> bytes:
        if self.has("same-cookie"):
            at, nonce = 0.0, bytes(16)
        stamp = struct.pack("<d", at)
        who = b"" if self.has("cookie-any-address") else repr(source).encode()
        what = b"" if self.has("cookie-any-nonce") else nonce
        return (
            stamp + hmac.digest(self._secret, stamp + who + what + struct.pack("<I", session), "sha256")[:16]
        )

    def _confirm(self, datagram: bytes, header: Header, source: Any) -> None:
        size = len(datagram)
        if not 508 <= size <= 1400 and not self.has("takes-any-size"):
            return
        version, said = struct.unpack_from("<HH", datagram, 12)
        nonce, cookie = datagram[16:32], datagram[32:56]
        if version != layout.VERSION and not self.has("welcomes-any-version"):
            return
        if said != size and not self.has("takes-said"):
            return
        (at,) = struct.unpack_from("<d", cookie)
        right = self._cookie(header.session, nonce, source, 0.0 if math.isnan(at) else at) == cookie
        if not right and not self.has("same-cookie"):
            return
        limit = {"cookie-short": 1.0, "cookie-long": 60.0}.get(self.fault, 4.0)
        if self.now - at > limit and not self.has("same-cookie"):
            return
        issued = self.issued.get(header.session)
        if issued is None:
            if self.has("denies-unknown"):
                self._out.append((layout.pack_denied(header.session, nonce, 3, None), source))
            return
        if not layout.confirm_is_proved(datagram, issued.key) and not self.has("takes-unproved"):
            return
        if any(datagram[88:-16]) and not self.has("takes-confirm-padding"):
            return
        reason = 4 if issued.revoked else 3 if self.now >= issued.expires_s else 5 if issued.used else 0
        if reason:
            key = bytes(32) if self.has("denies-unproved") else issued.key
            self._out.append((layout.pack_denied(header.session, nonce, reason, key), source))
            return
        self._welcome(issued, header.session, datagram, at, source)

    def _welcome(self, issued: Issued, session: int, datagram: bytes, at: float, source: Any) -> None:
        size = len(datagram)
        nonce, share = datagram[16:32], datagram[56:88]
        same = datagram[16:88]
        line = issued.connections[-1] if issued.connections else None
        repeated = line is not None and line.confirm == same and not self.has("welcome-anew")
        if repeated and line is not None:
            if not line.used_data and not self.has("welcome-never-smaller"):
                line.granted = min(line.granted, size)
            if self.has("welcome-larger"):
                line.granted = size
            if line.is_over:
                return
        else:
            if at <= issued.newest_cookie and not self.has("cookie-any-order"):
                return
            issued.newest_cookie = max(at, issued.newest_cookie)
            line = self._begin(issued, session, nonce, share, same, source, size)
            if line is None:
                return
            if issued.once and self.has("once-at-confirm"):
                issued.used = True
        line.peer = source
        line.heard_s = self.now
        grant = 1232 if self.has("grants-less") and line.granted > 1232 else line.granted
        line.traffic.size = grant
        limits: tuple[Limit, ...] = (CHAT, BULK, CHAT) if self.has("limits-twice") else (CHAT, BULK)
        welcome = Welcome(
            issued.player_id,
            max(1, int(issued.expires_s - self.now)),
            IDLE_MS,
            grant,
            line.token,
            line.spare,
            line.spare_offset,
            limits,
        )
        secret = welcome.pack(grant, padding=b"\1" if self.has("welcome-padding") else b"")
        if self.has("counter-jumps"):
            line.traffic.counter += 100
        if self.has("counter-twice"):
            line.traffic.counter = 0
        self._out.append((line.traffic.seal(Kind.WELCOME, secret, clear=line.clear), source))

    def _begin(
        self, issued: Issued, session: int, nonce: bytes, share: bytes, same: bytes, source: Any, size: int
    ) -> Line | None:
        secret, server_nonce = Secret(), os.urandom(16)
        z = secret.agree(share)
        if not any(z) and not self.has("takes-share-0"):
            return None
        first = layout.first_secret(issued.key, z, session, (nonce, server_nonce), (share, secret.share))
        traffic = Traffic([first], False, session, size, {session: (0, 0)})
        line = Line(
            issued,
            traffic,
            same,
            server_nonce + secret.share,
            source,
            size,
            os.urandom(16),
            self.now,
            chat_s=self.now,
        )
        self._draw_spare(line)
        if issued.connections and not self.has("old-keys-live"):
            issued.connections[-1].is_over = True
        issued.connections.append(line)
        return line

    def _draw_spare(self, line: Line) -> None:
        line.spare = line.traffic.session if self.has("same-spare") else next(self._numbers)
        line.spare_offset = struct.unpack("<II", os.urandom(8))
        if not self.has("same-spare"):
            line.traffic.offsets[line.spare] = line.spare_offset

    # ------------------------------------------------------------ sealed datagrams

    def _sealed(self, datagram: bytes, header: Header, source: Any) -> None:
        for issued in self.issued.values():
            for line in reversed(issued.connections):
                if header.session not in line.traffic.offsets:
                    continue
                if line.is_over and line is issued.connections[-1]:
                    if len(datagram) >= (36 if self.has("reset-short") else 40) and not self.has("no-reset"):
                        token = bytes(16) if self.has("reset-token") else line.token
                        self._out.append((layout.pack_reset(header.session, token), source))
                    if self.has("talks-after-close"):
                        line.is_over = False
                        self._data(line)
                        line.is_over = True
                elif not line.is_over and self._opened(line, datagram, header, source):
                    return

    def _opened(self, line: Line, datagram: bytes, header: Header, source: Any) -> bool:
        if header.flags & ~1 and not self.has("takes-flags"):
            return False
        if header.kind in (Kind.CLOSE, Kind.PATH_RESPONSE) and len(datagram) != 36:
            return False
        if len(datagram) > 1400 or (len(datagram) < 40 and header.kind in (Kind.DATA, Kind.PROBE)):
            return False
        if line.old_number and self.now - line.old_number[1] > 3 and not self.has("keeps-number"):
            line.traffic.offsets.pop(line.old_number[0], None)
            line.old_number = None
        found = line.traffic.open(datagram, header)
        if found is None:
            line.is_over = self.has("dies-of-forgeries")
            return False
        counter, phase, secret = found
        if phase < line.traffic.heard_phase and (self.now - line.phase_s > 3 or self.has("forgets-phase")):
            return False
        window = {"window-short": 100, "window-long": 10_000}.get(self.fault, 256)
        if (counter <= line.newest - window or counter in line.seen) and not (
            self.has("takes-replays") and counter > line.newest - window
        ):
            return False
        is_newest = counter > line.newest
        line.newest = max(line.newest, counter)
        line.seen.add(counter)
        line.heard_s = self.now
        if line.closed_s is not None:
            self._close_again(line)
            return True
        if phase > line.traffic.heard_phase:
            if self.has("one-update") and phase > 1:
                return False
            line.traffic.heard_phase = phase
            line.phase_s = self.now
            if not self.has("keeps-phase"):
                line.traffic.phase = phase
        line.issued.used |= line.issued.once and not self.has("once-forever")
        self._number(line, header)
        if header.kind == Kind.CLOSE:
            line.is_over = True
        elif header.kind == Kind.PATH_RESPONSE:
            line.traffic.taken.add(counter)
            self._response(line, secret, source)
        elif header.kind == Kind.PROBE and any(secret) and not self.has("takes-probes"):
            pass
        elif header.kind == Kind.PROBE:
            line.traffic.taken.add(counter)
            if not self.has("no-probe-ack"):
                self._owe(line, at_once=True)
        else:
            self._where(line, source, is_newest)
            self._data_came(line, secret, counter)
        if not line.is_over and line.closed_s is None and (line.queue or line.at_once):
            self._data(line)
        return True

    def _number(self, line: Line, header: Header) -> None:
        if header.session == line.spare and line.spare and not self.has("ignores-spare"):
            line.old_number = (line.traffic.session, self.now)
            line.traffic.session = line.spare
            self._draw_spare(line)
            if not self.has("no-next-spare"):
                body = struct.pack("<III", line.spare, *line.spare_offset)
                self._queue(line, Message(bodies.NUMBER, body, 3))

    def _where(self, line: Line, source: Any, is_newest: bool) -> None:
        if source == line.peer or not is_newest or self.has("never-moves"):
            return
        if self.has("moves-at-once"):
            line.peer = source
            return
        for where in (source, *(() if self.has("asks-only-new") else (line.peer,))):
            token = os.urandom(8)
            line.tokens[token] = (where, self.now)
            self._out.append((line.traffic.seal(Kind.PATH_CHALLENGE, token), where))

    def _response(self, line: Line, token: bytes, source: Any) -> None:
        where, at = line.tokens.get(token, (None, -math.inf))
        if self.has("ignores-responses"):
            return
        if self.now - at > 4 or (where != source and not self.has("moves-for-anybody")):
            return
        if self.has("moves-for-anybody"):
            line.peer = where
        elif where != line.peer and line.before is None:
            line.before = (line.peer, self.now)
            line.peer = where
        elif line.before is not None and where == line.before[0] and not self.has("never-back"):
            line.peer = where
