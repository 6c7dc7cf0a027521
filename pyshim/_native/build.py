# SPDX-License-Identifier: BSD-3-Clause
"""Generates the C source of the extension `pyshim._native._pollgate` from the declarations in decl/.

The build calls it as `python build.py OUTPUT.c`; `cffi-gen-src exec-python build.py OUTPUT.c` does the same.
"""

import sys
from pathlib import Path

from cffi import FFI

# In this order: each may use what stands before it.
TOPICS = ("names", "errors", "plan", "stats", "lifecycle", "sessions", "core", "load", "bench")

DECL = Path(__file__).resolve().parent / "decl"

ffibuilder = FFI()
ffibuilder.cdef("\n".join((DECL / f"{topic}.h").read_text() for topic in TOPICS))
ffibuilder.set_source(
    "pyshim._native._pollgate",
    '#include "pollgate.h"\n#include "pollgate_bench.h"\n#include "pollgate_load.h"',
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build.py OUTPUT.c")
    ffibuilder.emit_c_code(sys.argv[1])
