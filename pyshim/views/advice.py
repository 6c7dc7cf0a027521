# SPDX-License-Identifier: BSD-3-Clause
"""What to look at when most of what arrives is dropped for one reason: for whoever gets no answer.

And when what players say does not reach a game process."""

from __future__ import annotations

from pyshim.stats import Snapshot
from pyshim.views.keeping_up import KeepingUp
from pyshim.views.rates import summed

NOTICED = 20  # packets: fewer are an accident
MOST = 0.5  # of all that was received

_WHY = {
    "udp_checksum": "the sender leaves checksums to a card that it does not have, as a veth's kernel does; "
    "on the players' side: ethtool -K INTERFACE tx off",
    "session_header": "a listener with profile: session takes no messages of the profile plain, such as "
    "those of `pollgate load`; play against a listener with profile: plain, or with an issued ticket",
    "message_type": "what arrives is no message of the profile plain; is it a client of the profile session?",
    "session_foreign": "session numbers are of another gateway than sessions.gateway.id; look at whatever "
    "steers players to gateways and gives them tickets, or somebody sends what is of no player",
    "table_full": "sessions.capacity is too small for so many players",
    "source_rate_limited": "more comes from one address than listen.limits.source_pps allows; players "
    "behind one address share it",
    "connection_rate_limited": "more players of one address want to connect than "
    "listen.limits.connections_pps allows",
    "session_rate_limited": "sessions send more than listen.limits.session_pps allows",
    "message_rate_limited": "sessions send more of one type than delivery.messages_pps allows",
}


class Adviser:
    """Says each thing once in a run."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self._said: set[str] = set()
        self._keeping_up = KeepingUp()

    def news(self, snapshot: Snapshot) -> list[tuple[str, str]]:
        """What has become worth a sentence since the last time, and its level."""
        self._keeping_up, found = self._keeping_up.look(snapshot)
        return [*(("warning", sentence) for sentence in self._of_drops(snapshot)), *found]

    def _of_drops(self, snapshot: Snapshot) -> list[str]:
        received = sum(worker.received for worker in snapshot.workers)
        found = []
        for reason, count in summed(worker.dropped for worker in snapshot.workers).items():
            why = _WHY.get(reason)
            if why is None or reason in self._said or count < NOTICED or count < MOST * received:
                continue
            self._said.add(reason)
            found.append(f"{count:,} of {received:,} packets were dropped as {reason}: {why}")
        return found
