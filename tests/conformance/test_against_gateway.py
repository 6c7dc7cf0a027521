# SPDX-License-Identifier: BSD-3-Clause
"""The kit against gateways in a network with a clock of its own: a right one, and one for each fault."""

from __future__ import annotations

import pytest

from pyshim.conformance import gateway_run
from pyshim.conformance.checks import Outcome, Verdict
from tests.conformance.model_gateway import ModelGateway
from tests.conformance.virtual import VirtualNetwork

# By check: what a gateway does wrong.
FAULTS = {
    "header": ["header-flags"],
    "length": ["challenge-long"],
    "opens": ["tag-wrong"],
    "counter-once": ["counter-twice", "counter-repeats"],
    "counter-next": ["counter-jumps"],
    "acknowledges-received": ["acks-unsent"],
    "ack-delay": ["delay-wrong"],
    "data-zeros": ["data-reserved"],
    "sealed-zeros": ["close-reserved"],
    "messages": ["messages-cut"],
    "bodies": ["body-wrong"],
    "message-ids": ["ids-jump"],
    "reliable-types": ["pings-reliably"],
    "pieces": ["never-cuts"],
    "challenge": ["challenge-long"],
    "challenge-proof": ["challenge-unproved"],
    "cookies-differ": ["same-cookie"],
    "hello-refused": ["takes-padding", "takes-wrong-lengths", "answers-any-kind"],
    "hello-version": ["denies-no-version"],
    "unknown-hello": ["silent-for-unknown"],
    "unknown-confirm": ["denies-unknown"],
    "other-gateway": ["answers-for-others"],
    "confirm-refused": [
        "takes-unproved",
        "takes-confirm-padding",
        "takes-share-0",
        "takes-any-size",
        "takes-said",
        "cookie-any-address",
        "cookie-any-nonce",
    ],
    "confirm-version": ["welcomes-any-version"],
    "cookie-lives": ["cookie-short"],
    "cookie-dies": ["cookie-long"],
    "cookie-older": ["cookie-any-order"],
    "welcome-layout": ["welcome-padding", "limits-twice"],
    "welcome-repeated": ["welcome-anew"],
    "welcome-smaller": ["welcome-never-smaller"],
    "welcome-larger": ["welcome-larger"],
    "sizes": ["grants-less"],
    "new-keys": ["counter-jumps"],
    "old-keys": ["old-keys-live"],
    "once-lost": ["once-at-confirm"],
    "once-used": ["once-forever"],
    "revoked": ["revoked-unclosed", "denies-unproved"],
    "expired": ["expired-unclosed", "denies-unproved"],
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
    "spare-taken": ["ignores-spare"],
    "spare-next": ["no-next-spare"],
    "spare-before": ["keeps-number"],
    "move-asked": ["never-moves"],
    "move-old-asked": ["asks-only-new"],
    "moved": ["ignores-responses"],
    "not-moved": ["moves-for-anybody"],
    "moved-back": ["never-back"],
    "closed-silent": ["talks-after-close"],
    "reset": ["no-reset", "reset-token"],
    "reset-short": ["reset-short"],
    "close-again": ["closes-once"],
    "close-sparse": ["closes-always"],
    "idle": ["idle-late"],
    "unknown-taken": ["unknown-closes"],
    "unknown-others": ["skips-datagrams"],
    "body-skipped": ["bad-body-closes"],
    "broken-closed": ["forgives", "forgives-pieces"],
    "zeros-refused": ["takes-wants", "takes-probes"],
    "games-own": ["games-own-closes"],
    "fifty": ["at-most-49"],
    "event-body": ["event-sender"],
    "event-flags": ["event-priority", "event-channel"],
    "order": ["order-swapped"],
    "no-order": ["order-swapped"],
    "delivered-once": ["delivers-twice"],
    "far-refused": ["takes-far", "busy-acknowledged"],
    "far-busy": ["no-busy"],
    "no-receiver": ["refuses-near"],
    "pieces-taken": ["loses-pieces"],
    "pieces-long": ["loses-long"],
    "compressed-taken": ["never-expands"],
    "compressed-wrong": ["bad-body-closes", "bad-stream-closes"],
    "lossy": ["never-repeats"],
    "repeated": ["never-repeats"],
    "backs-off": ["repeats-in-bursts"],
    "ends-repeating": ["forgets-acks"],
    "unsent-ignored": ["believes-any-ack"],
    "outage": ["ends-by-count"],
    "limit-refused": ["no-limits", "busy-acknowledged"],
    "limit-busy": ["no-busy"],
    "limit-sparse": ["busy-always"],
    "limit-later": ["never-again"],
}


def verdicts(fault: str = "", only: str | None = None) -> dict[str, Verdict]:
    network, gateway = VirtualNetwork(), ModelGateway(fault)
    wanted = [
        one
        for one in gateway_run.SCENARIOS
        if only is None or only in {check.id for check in one.checks} or only in _OF_EVERY_DATAGRAM
    ]
    found, _ = gateway_run.play_all(network, wanted, gateway, lambda ticket: network.open(gateway), at_once=1)
    return {one.check.id: one for one in found}


_OF_EVERY_DATAGRAM = {check.id for check in gateway_run.checks(())}


def test_right_gateway_passes_every_check() -> None:
    for name, verdict in verdicts().items():
        assert verdict.outcome is Outcome.PASS, (name, verdict.came, verdict.scenario)


def test_every_check_has_a_gateway_that_fails_it() -> None:
    assert FAULTS.keys() == {check.id for check in gateway_run.checks()}


@pytest.mark.parametrize(
    ("check", "fault"), [(name, fault) for name, faults in FAULTS.items() for fault in faults]
)
def test_gateway_with_a_fault_fails_the_check_of_that_fault(check: str, fault: str) -> None:
    found = verdicts(fault, only=check)[check]
    assert found.outcome is Outcome.FAIL, found.came
    assert found.came
