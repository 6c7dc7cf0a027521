# SPDX-License-Identifier: BSD-3-Clause
"""Every drop reason is explained where a reader of the data plane looks for it."""

from __future__ import annotations

import re
from pathlib import Path

from pyshim._native._pollgate import ffi, lib

README = Path(__file__).resolve().parents[2] / "dpdk_app" / "README.md"


def test_the_table_of_drop_reasons_has_exactly_the_labels_of_the_metric_in_their_order() -> None:
    reasons = [ffi.string(lib.pg_drop_name(drop)).decode() for drop in range(1, lib.PG_DROPS)]

    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", README.read_text(), flags=re.MULTILINE)

    assert documented == reasons
