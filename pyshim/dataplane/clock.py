# SPDX-License-Identifier: BSD-3-Clause
"""The clock of the data plane."""

from __future__ import annotations

from pyshim.dataplane.library import lib


def tsc() -> int:
    """This CPU's time-stamp counter."""
    return lib.pg_tsc()


def tsc_hz() -> int:
    """Its rate; the first call may take a moment to measure it."""
    return lib.pg_tsc_hz()
