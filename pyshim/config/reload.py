# SPDX-License-Identifier: BSD-3-Clause
"""Which changes of a configuration a running gateway can take over, and which need a restart."""

from __future__ import annotations

from collections.abc import Iterator

from pyshim.config.models import Config
from pyshim.settings import SETTINGS

# Keys that apply while packets flow, with everything under them. List indexes are left out.
_BY_TYPE = {"delivery.compress", "delivery.messages_pps", "delivery.messages_burst"}
_FORMER = {"delivery.resends"}  # does nothing, and may come and go
_OTHERS = {"log.level", "metrics.listen", "game.routes", "record.seconds"}
LIVE = {one.key for one in SETTINGS if one.live} | _BY_TYPE | _FORMER | _OTHERS


def restart_needed(old: Config, new: Config) -> list[str]:
    """Key paths that differ and cannot be applied live, such as `ports[0].queues`; empty: reload is possible.

    Two spellings of one value (a short and a full PCI address) do not differ. A list that changed its
    length is named as a whole.
    """
    return list(_changes(old.model_dump(mode="json"), new.model_dump(mode="json"), "", ""))


def _changes(old: object, new: object, path: str, pattern: str) -> Iterator[str]:
    """Paths below `path` that differ and are not live; `pattern` is the path without indexes."""
    if old == new or pattern in LIVE:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            yield from _changes(value, new[key], f"{path}.{key}".lstrip("."), f"{pattern}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, f"{path}[{index}]", pattern)
    else:
        yield path
