# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# attend: for scripts whose commands take minutes: Ctrl-C and SIGTERM end the command, and then the script, at once.
#
# A shell does not act on a signal before the command in its foreground has ended, and SIGTERM reaches only the shell;
# a Python that Ctrl-C reaches shows a traceback. So a command is started in the background, in a process group of its
# own, where a terminal's Ctrl-C does not reach it, and is told to end by the script.

attended= # process group of the command that runs
readonly attend_grace_s=10
exec {attend_stderr}>&2 # that of the script: a command may have another one

# attend COMMAND...: run it in the foreground, as far as anybody can see; its exit code.
attend() {
	local code=0
	set -m
	"$@" {attend_stderr}>&- &
	attended=$!
	set +m
	wait "$attended" || code=$?
	attended=
	return "$code"
}

# end_by SIGNAL EXIT_CODE: end what runs, say what $interrupted_says, if that is set, and end as a shell expects of who was told to.
end_by() {
	trap '' INT TERM
	if [[ -n $attended ]]; then
		kill -s TERM -- "-$attended" 2>/dev/null || true
		for ((tenths = 0; tenths < 10 * attend_grace_s; tenths++)); do
			kill -0 -- "-$attended" 2>/dev/null || break
			sleep 0.1
		done
		kill -s KILL -- "-$attended" 2>/dev/null || true
	fi
	[[ -z ${interrupted_says-} ]] || printf '%s\n' "$interrupted_says" >&"$attend_stderr" || true
	trap - "$1"
	kill -s "$1" "$$"
	exit "$2" # whoever ignores it
}

trap 'end_by INT 130' INT
trap 'end_by TERM 143' TERM
