# SPDX-License-Identifier: BSD-3-Clause
"""Files of vectors for other implementations: how their text is laid out, and the program that writes one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def text_of(document: Mapping[str, Any]) -> str:
    """One vector to a line, so that a change is seen as one."""
    parts = []
    for name, value in document.items():
        if isinstance(value, list):
            lines = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            parts.append(f'  "{name}": [\n{lines}\n  ]')
        else:
            parts.append(f'  "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(arguments: Sequence[str], usual: Path, text: str) -> int:
    """Write the file, to where the first argument says or where it usually is; the exit code."""
    out = Path(arguments[0]) if arguments else usual
    out.write_text(text)
    print(f"{out}: {len(text)} bytes")
    return 0
