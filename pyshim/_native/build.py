# SPDX-License-Identifier: BSD-3-Clause
"""Generates the C source of the extension `pyshim._native._pollgate` from the declarations in decl/.

The build calls it as `python build.py OUTPUT.c`; `cffi-gen-src exec-python build.py OUTPUT.c` does the same.
"""

import re
import sys
from pathlib import Path

from cffi import FFI

# In this order: each may use what stands before it.
TOPICS = ("names", "errors", "plan", "stats", "sessions", "lifecycle", "world", "recording", "load", "bench")

HEADERS = "\n".join(
    f'#include "pollgate{part}.h"' for part in ("", "_bench", "_load", "_recording", "_world")
)

DECL = Path(__file__).resolve().parent / "decl"

DATA_PLANE = Path(__file__).resolve().parents[2] / "dpdk_app"
COUNTERS = DATA_PLANE / "stats" / "counters.def"
SETTINGS = DATA_PLANE / "include" / "settings.def"
WIDE = ("SECONDS", "METRES")  # kinds of settings of 64 bits
NARROW = ("DEVICE_STATE", "POOL")  # groups of counters of 32 bits


def fields(group: str) -> str:
    """The declarations of a group of stats/counters.def; the compiler knows how long arrays are."""
    found = re.findall(rf"^{group}\((\w+), (\[?)", COUNTERS.read_text(), re.MULTILINE)
    kind = "uint32_t" if group in NARROW else "uint64_t"
    return " ".join(f"{kind} {field}{'[...]' if array else ''};" for field, array in found)


def settings(group: str) -> str:
    """Likewise, of settings.def."""
    found = re.findall(rf'^{group}\((\w+), "[^"]*", (\w+),', SETTINGS.read_text(), re.MULTILINE)
    return " ".join(f"uint{64 if kind in WIDE else 32}_t {field};" for field, kind in found)


def declarations(topic: str) -> str:
    """What stands in decl/, with its counters and settings."""
    text = (DECL / f"{topic}.h").read_text()
    for word, made in (("COUNTERS", fields), ("SETTINGS", settings)):
        for group in re.findall(rf"^\t+{word}\((\w+)\)$", text, re.MULTILINE):
            text = text.replace(f"{word}({group})", made(group))
    return text


ffibuilder = FFI()
ffibuilder.cdef("\n".join(declarations(topic) for topic in TOPICS))
ffibuilder.set_source("pyshim._native._pollgate", HEADERS)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build.py OUTPUT.c")
    ffibuilder.emit_c_code(sys.argv[1])
