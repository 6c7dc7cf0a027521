# SPDX-License-Identifier: BSD-3-Clause
"""The kit against clients in a network with a clock of its own: a right one, and one for each fault."""

from __future__ import annotations

import pytest

from pyshim.conformance import client_run
from pyshim.conformance.checks import Outcome, Verdict
from pyshim.conformance.loop import Port
from tests.conformance.model_client import ModelClient
from tests.conformance.virtual import VirtualNetwork

# By check: what a client does wrong.
FAULTS = {
    "hello-layout": ["hello-padding"],
    "confirm-layout": ["confirm-said"],
    "confirm-proof": ["confirm-unproved"],
    "confirm-cookie": ["cookie-wrong"],
    "share": ["share-anew", "same-share"],
    "header": ["header-session"],
    "length": ["too-long"],
    "opens": ["tag-wrong"],
    "counter-once": ["counter-repeats"],
    "counter-next": ["counter-jumps"],
    "acknowledges-received": ["acks-unsent"],
    "ack-delay": ["delay-wrong"],
    "data-zeros": ["data-reserved"],
    "sealed-zeros": ["close-reserved"],
    "messages": ["messages-cut"],
    "bodies": ["body-wrong"],
    "message-ids": ["ids-jump"],
    "reliable-types": ["heartbeat-channel"],
    "pieces": ["long-piece"],
    "hello-repeats": ["hurries"],
    "hello-same": ["new-nonce"],
    "challenge-forged": ["takes-unproved", "dies-of-challenges"],
    "challenge-first": ["takes-last-challenge"],
    "confirm-repeats": ["hurries"],
    "confirm-smaller": ["keeps-size"],
    "cookie-anew": ["keeps-cookie"],
    "welcome-late": ["takes-late"],
    "welcome-refused": ["takes-padding", "takes-share-0", "takes-more"],
    "welcome-taken": ["dies-of-welcomes"],
    "welcome-grants": ["refuses-less"],
    "welcome-lost": ["first-counter-only"],
    "speaks": ["says-nothing"],
    "denied-version": ["believes-version"],
    "denied-forged": ["believes-denied"],
    "denied": ["ignores-denied"],
    "ack-at-once": ["ignores-wants"],
    "ack-in-time": ["acks-late"],
    "ack-all": ["acks-one-of-many"],
    "ack-nothing": ["acks-acks"],
    "ack-probe": ["no-probe-ack"],
    "pong": ["no-pong"],
    "replay": ["takes-replays"],
    "window-within": ["window-short"],
    "window-without": ["window-long"],
    "forged": ["answers-forgeries"],
    "forged-survives": ["dies-of-forgeries"],
    "key-followed": ["keeps-phase"],
    "key-before": ["forgets-phase"],
    "key-again": ["one-update"],
    "close-again": ["closes-once"],
    "close-sparse": ["closes-always"],
    "first-id": ["ids-from-1"],
    "heartbeats": ["heartbeats-rarely"],
    "lossy": ["never-repeats"],
    "repeated": ["never-repeats"],
    "backs-off": ["repeats-in-bursts"],
    "unsent-ignored": ["believes-any-ack"],
    "ends-repeating": ["forgets-acks"],
    "outage": ["ends-by-count"],
    "idle": ["never-idle", "close-reason"],
    "path-answered": ["path-token"],
    "elsewhere": ["hears-anybody"],
    "behind-taken": ["refuses-behind"],
    "pieces-acknowledged": ["never-joins"],
    "busy-strange": ["dies-of-busy"],
    "busy-waits": ["ignores-busy"],
    "busy-again": ["drops-busy"],
    "limits-kept": ["no-limits"],
    "limits-new": ["keeps-limits"],
    "restarted": ["ignores-restarted"],
    "restarted-kept": ["says-it-again"],
    "restarted-same": ["restarts-again"],
    "number": ["uses-number"],
    "spare-used": ["keeps-number", "mixes-numbers"],
    "spare-counter": ["forgets-offset"],
    "spare-both": ["drops-before", "drops-spare"],
    "spare-left": ["keeps-before"],
    "spare-newest": ["keeps-spare"],
    "spare-none": ["writes-zero", "goes-back"],
    "closed-silent": ["ignores-close"],
    "close-unknown": ["ignores-unknown-close"],
    "close-kicked": ["ignores-kicks"],
    "reset-forged": ["believes-resets"],
    "reset-taken": ["ignores-resets"],
    "first-window": ["no-window", "burst"],
    "on-their-way": ["burst"],
    "ids-ahead": ["ids-ahead"],
    "unknown-taken": ["unknown-closes"],
    "unknown-others": ["skips-datagrams"],
    "body-skipped": ["bad-body-closes"],
    "compressed-wrong": ["bad-body-closes", "bad-stream-closes"],
    "broken-closed": ["forgives", "forgives-pieces"],
    "zeros-refused": ["takes-wants", "takes-probes"],
    "games-own": ["games-own-closes"],
    "fifty": ["at-most-49"],
    "far-refused": ["takes-far"],
    "far-busy": ["no-busy"],
}
_OF_EVERY_DATAGRAM = {check.id for check in client_run.checks(())}


def verdicts(fault: str = "", only: str | None = None) -> dict[str, Verdict]:
    network = VirtualNetwork()
    wanted = [
        one
        for one in client_run.SCENARIOS
        if only is None or only in {check.id for check in one.checks} or only in _OF_EVERY_DATAGRAM
    ]

    def end(scenario: str) -> tuple[Port, ModelClient, tuple[str, int]]:
        model = ModelClient(fault)
        return network.open(model), model, ("127.0.0.1", 1)

    found, _ = client_run.play_all(network, wanted, end, at_once=1)
    return {one.check.id: one for one in found}


def test_right_client_passes_every_check() -> None:
    for name, verdict in verdicts().items():
        assert verdict.outcome is Outcome.PASS, (name, verdict.came, verdict.scenario)


def test_checks_that_need_another_network_are_not_reached_by_a_client_that_goes_to_none() -> None:
    found = verdicts("stays", only="spare-used")
    for check in ("spare-used", "spare-counter", "spare-both", "spare-left", "spare-newest", "spare-none"):
        assert found[check].outcome is Outcome.NOT_REACHED
        assert "'another network'" in found[check].came


def test_every_check_has_a_client_that_fails_it() -> None:
    assert FAULTS.keys() == {check.id for check in client_run.checks()}


@pytest.mark.parametrize(
    ("check", "fault"), [(name, fault) for name, faults in FAULTS.items() for fault in faults]
)
def test_client_with_a_fault_fails_the_check_of_that_fault(check: str, fault: str) -> None:
    found = verdicts(fault, only=check)[check]
    assert found.outcome is Outcome.FAIL, found.came
    assert found.came
