# SPDX-License-Identifier: BSD-3-Clause
"""Generates the C source of the extension `pyshim._native._game`.

From `decl/game_process.h` and `game_events.h`; the build calls it as `python build_game.py OUTPUT.c`.
"""

import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent

ffibuilder = FFI()
ffibuilder.cdef((HERE / "decl" / "game_process.h").read_text())
ffibuilder.set_source("pyshim._native._game", (HERE / "game_events.h").read_text())

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build_game.py OUTPUT.c")
    ffibuilder.emit_c_code(sys.argv[1])
