# SPDX-License-Identifier: BSD-3-Clause
"""The C data plane as Python values: typed calls, errors as exceptions, lifetimes as context managers.

The supervisor uses `StatsPage` and `OwnState`, memory files that outlive a worker process; the worker
process attaches to both and runs a `Gateway`. Every call releases the interpreter lock.
"""

from pyshim.dataplane.clock import tsc, tsc_hz
from pyshim.dataplane.gateway import Gateway
from pyshim.dataplane.library import check, new_error
from pyshim.dataplane.page import PageNames, Pulse, RunState, StatsPage
from pyshim.dataplane.process import (
    eal_init,
    gain_nothing,
    limit_capabilities,
    log_to,
    wake_when_orphaned,
    watchdog,
)
from pyshim.dataplane.state import OwnState, mail_bytes, new_state, state_bytes, worlds_bytes

__all__ = [
    "Gateway",
    "OwnState",
    "PageNames",
    "Pulse",
    "RunState",
    "StatsPage",
    "check",
    "eal_init",
    "gain_nothing",
    "limit_capabilities",
    "log_to",
    "mail_bytes",
    "new_error",
    "new_state",
    "state_bytes",
    "tsc",
    "tsc_hz",
    "wake_when_orphaned",
    "watchdog",
    "worlds_bytes",
]
