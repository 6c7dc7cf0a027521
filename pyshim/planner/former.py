# SPDX-License-Identifier: BSD-3-Clause
"""Warnings of keys that do nothing any more: files that have them are still read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyshim.config.models import Config


def warn_of_former(config: Config) -> tuple[str, ...]:
    """One sentence for each key that does nothing any more."""
    if (resends := config.delivery.resends) is None:
        return ()
    return (
        f"delivery.resends: {resends} does nothing any more: a reliable message is sent again until it is "
        "acknowledged or the connection ends, after sessions.idle_timeout_s without a word of the player; "
        "remove the key",
    )
