# SPDX-License-Identifier: BSD-3-Clause
"""Generates the C source of the extension `pyshim._native._pollgate` from the declarations in decl/.

The build calls it as `python build.py OUTPUT.c`; `cffi-gen-src exec-python build.py OUTPUT.c` does the same.
"""

import re
import sys
from pathlib import Path

from cffi import FFI

# In this order: each may use what stands before it.
TOPICS = ("names", "errors", "plan", "stats", "lifecycle", "sessions", "core", "load", "bench")

HEADERS = '#include "pollgate.h"\n#include "pollgate_bench.h"\n#include "pollgate_load.h"'

DECL = Path(__file__).resolve().parent / "decl"

COUNTERS = Path(__file__).resolve().parents[2] / "dpdk_app" / "stats" / "counters.def"
NARROW = ("DEVICE_STATE", "POOL")  # groups of 32 bits


def fields(group: str) -> str:
    """The declarations of a group of stats/counters.def; the compiler knows how long arrays are."""
    found = re.findall(rf"^{group}\((\w+), (\[?)", COUNTERS.read_text(), re.MULTILINE)
    kind = "uint32_t" if group in NARROW else "uint64_t"
    return " ".join(f"{kind} {field}{'[...]' if array else ''};" for field, array in found)


def declarations(topic: str) -> str:
    """What stands in decl/, with its counters."""
    text = (DECL / f"{topic}.h").read_text()
    return re.sub(r"^\tCOUNTERS\((\w+)\)$", lambda found: fields(found[1]), text, flags=re.MULTILINE)


ffibuilder = FFI()
ffibuilder.cdef("\n".join(declarations(topic) for topic in TOPICS))
ffibuilder.set_source("pyshim._native._pollgate", HEADERS)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build.py OUTPUT.c")
    ffibuilder.emit_c_code(sys.argv[1])
