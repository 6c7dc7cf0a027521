# SPDX-License-Identifier: BSD-3-Clause
"""A wire per module and engine."""

from __future__ import annotations

from tests.engines.conftest import engine, namespaces, wire

__all__ = ["engine", "namespaces", "wire"]
