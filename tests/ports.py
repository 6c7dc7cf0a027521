# SPDX-License-Identifier: BSD-3-Clause
"""Ports for servers that tests start, from where benchmarks have theirs: neither takes the other's."""

from __future__ import annotations

from pyshim.bench.rig.ports import free_port

__all__ = ["free_port"]
