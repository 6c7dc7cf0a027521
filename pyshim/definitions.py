# SPDX-License-Identifier: BSD-3-Clause
"""The lists of the data plane that Python reads, too: installed beside this, or in the checkout."""

from __future__ import annotations

import re
from pathlib import Path

STRINGS = r"(?:\"[^\"]*\"\s*)+"  # that C joins


def definitions(file: str) -> str:
    """The text of a list, `stats/counters.def` for one."""
    here = Path(__file__)
    installed = here.with_name(Path(file).name)
    return (installed if installed.exists() else here.parents[1] / "dpdk_app" / file).read_text()


def joined(strings: str) -> str:
    """What strings say that C joins."""
    return "".join(re.findall(r'"([^"]*)"', strings))
