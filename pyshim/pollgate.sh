#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# pollgate: the command, as it is installed.
#
# While Python starts it answers Ctrl-C with a traceback, whatever it is at, before a line of ours has run; and to a
# container's first process, signals that nobody handles yet are lost. So it starts with them blocked, and pyshim.entry
# lets in what came meanwhile.

bin=$(dirname "$(readlink -f "$0")")
if [ -x "$bin/python3" ]; then
	python=$bin/python3
else
	python=python3
fi
exec env --block-signal=INT,TERM "$python" -P -m pyshim "$@"
