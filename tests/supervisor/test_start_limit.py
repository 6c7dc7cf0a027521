# SPDX-License-Identifier: BSD-3-Clause
"""How long a worker process may take until it serves."""

from __future__ import annotations

import pytest

from pyshim.run.child import start_limit_s


@pytest.mark.parametrize(("stall_timeout_s", "limit_s"), [(0.1, 30), (2, 30), (30, 30), (120, 120)])
def test_a_start_may_take_as_long_as_a_stall_and_never_less_than_30_seconds(
    stall_timeout_s: float, limit_s: float
) -> None:
    assert start_limit_s(stall_timeout_s) == limit_s
