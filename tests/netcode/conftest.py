# SPDX-License-Identifier: BSD-3-Clause
"""The wire of tests that play over a device."""

from __future__ import annotations

from tests.network.conftest import namespaces, wire

__all__ = ["namespaces", "wire"]
