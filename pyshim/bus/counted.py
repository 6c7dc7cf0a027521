# SPDX-License-Identifier: BSD-3-Clause
"""What the supervisor counts of game processes."""

from __future__ import annotations

from pyshim.bus.messages import Reason
from pyshim.bus.registry import Why

DEATHS = "worker_deaths"  # of more workers than what they leave is kept of
_DETACHMENTS = ("gone", "broken", "malformed", "does_not_read")


class Counted:
    """What came of connections, ever."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.attached = 0
        self.detached = dict.fromkeys(_DETACHMENTS, 0)
        self.refused = {reason.name.lower(): 0 for reason in Reason}
        self.unread = dict.fromkeys((*(why.name.lower() for why in Why), DEATHS), 0)
