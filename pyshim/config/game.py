# SPDX-License-Identifier: BSD-3-Clause
"""The game behind the gate: processes on this host that hear what players say, and answer."""

from __future__ import annotations

from pyshim.config.defined import defined
from pyshim.config.section import Section


@defined("game")
class GameConfig(Section):
    """Game processes on this host."""
