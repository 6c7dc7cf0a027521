# SPDX-License-Identifier: BSD-3-Clause
"""Generates the C source of `_pollgate_test`: what pollgate_test.h declares, with the product's types.

The build calls it as `python build.py OUTPUT.c`, with `-Dtest_library=true` only: no product carries it.
"""

import runpy
import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent

product = runpy.run_path(str(HERE.parents[1] / "pyshim" / "_native" / "build.py"))

ffibuilder = FFI()
ffibuilder.include(product["ffibuilder"])
ffibuilder.cdef((HERE / "decl.h").read_text())
ffibuilder.set_source("_pollgate_test", product["HEADERS"] + '\n#include "pollgate_test.h"')

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build.py OUTPUT.c")
    ffibuilder.emit_c_code(sys.argv[1])
