#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# CPython 3.11 (seen on Debian 12's 3.11.2): a KeyboardInterrupt that was caught can still kill `python -m`.
#
# A program catches KeyboardInterrupt and ends with sys.exit(7). Where the interrupt came up through exec() of a text
# (dataclasses and namedtuple make their classes that way, so an import that is under way at Ctrl-C is enough) and the
# program was started with -m, the process sends itself SIGINT when it has finished: its parent sees death by signal 2
# instead of 7. The same program started as a script ends with 7. The interpreter remembers that the code of the text
# ended by the interrupt, and looks at that after the module has ended, not at whether anybody caught it.
#
# Source: Python/pythonrun.c (run_eval_code_obj sets unhandled_keyboard_interrupt), Modules/main.c (Py_RunMain,
# exit_sigint).
#
# Seen: "script: 7" and "python -m: -2". Fails when that changes.

set -euo pipefail
unset PYTHONSAFEPATH # the program is in this directory
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >program.py <<'PYTHON'
import sys

try:
    exec("raise KeyboardInterrupt")
except KeyboardInterrupt:
    pass
sys.exit(7)
PYTHON
/usr/bin/python3 - <<'PYTHON'
import subprocess
import sys

script = subprocess.run([sys.executable, "program.py"], check=False).returncode
module = subprocess.run([sys.executable, "-m", "program"], check=False).returncode
print(f"script: {script}")
print(f"python -m: {module}")
sys.exit((script, module) != (7, -2))
PYTHON
