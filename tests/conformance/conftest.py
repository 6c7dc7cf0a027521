# SPDX-License-Identifier: BSD-3-Clause
"""The C client as `meson install` leaves it is one of those that are played."""

from __future__ import annotations

from tests.client.conftest import installed

__all__ = ["installed"]
