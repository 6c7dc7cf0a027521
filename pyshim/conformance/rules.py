# SPDX-License-Identifier: BSD-3-Clause
"""Checks that scenarios of both ends decide, each their own way."""

from __future__ import annotations

from pyshim.conformance.checks import Check

REPEATED = Check(
    "repeated", "6", "What is not acknowledged leaves again in another datagram, with the same id"
)
BACKS_OFF = Check(
    "backs-off", "6", "What is not acknowledged is said again at growing distances, not in a burst"
)
ENDS_REPEATING = Check("ends-repeating", "6", "What is acknowledged is not repeated")
UNSENT_IGNORED = Check("unsent-ignored", "5", "An ack that names what was not sent is ignored, with its bits")
LOSSY = Check("lossy", "6", "Where each third datagram is lost, each reliable message arrives")
OUTAGE = Check(
    "outage", "6", "Five seconds without any datagram end no connection, and what was said arrives"
)
CLOSED_SILENT = Check("closed-silent", "9", "Who gets CLOSE says nothing more under these keys")
IDLE = Check("idle", "8", "Where nothing authentic came for idle_timeout_ms, that end closes with reason 2")
