# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every test: what the machine takes, and what its shell says of itself, decides nothing."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# How a program draws follows from these; a test that wants one of them sets it.
for _name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(_name, None)
os.environ["TERM"] = "xterm-256color"

# Processes that tests start from the checkout import the installed package, not the tree beside them.
os.environ["PYTHONSAFEPATH"] = "1"
