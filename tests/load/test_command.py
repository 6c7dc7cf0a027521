# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load` as a shell sees it: its object, its table, one sentence per failure, and its interrupts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pyshim.load.report import schema
from tests.bench.test_interrupt import as_a_shell_sees_it
from tests.load.servers import Faults, Server
from tests.processes import is_alive

COMMAND = (sys.executable, "-P", "-m", "pyshim", "load")
ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
TIMEOUT_S = 180


def load(*args: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, *COMMAND, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=ENVIRONMENT,
        check=False,
    )


def report_of(stdout: str) -> dict[str, Any]:
    report = json.loads(stdout)
    jsonschema.validate(report, schema())
    assert isinstance(report, dict)
    return report


def steps_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert (done.returncode, done.stderr) == (0, "")
    steps = report_of(done.stdout)["steps"]
    for step in steps:
        assert step["offered"] == step["sent"] + step["not_sent"]
        assert step["not_sent"] == sum(step["not_sent_by"].values())
        assert step["sent"] == step["acknowledged"] + step["lost"]
    assert isinstance(steps, list)
    return steps


@contextlib.contextmanager
def running(*args: str) -> Iterator[subprocess.Popen[str]]:
    """A command that is always gone in the end."""
    process = subprocess.Popen(
        [*COMMAND, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    """Processes that `pid` started and that are there."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


# ---------------------------------------------------------------- what it prints


def test_json_prints_one_object_that_is_what_its_schema_says() -> None:
    with Server(Faults(lose=10)) as server:
        done = load(server.target, "--players", "20", "--rate", "50", "--seconds", "1", "--json")
        (step,) = steps_of(done)
    assert (step["players"], step["rate_pps"]) == (20, 50)
    assert (step["sent"], step["lost"]) == (server.received, server.lost)
    assert step["loss_ratio"] == server.lost / server.received > 0.09
    assert step["limited_by"] in ("target", "generator")
    assert 0 < step["latency"]["p50_s"] <= step["latency"]["p99_s"] <= step["latency"]["max_s"]
    report = report_of(done.stdout)
    assert (report["load"], report["target"], report["via"]["transport"]) == (
        "rate",
        server.target,
        "sockets",
    )


def test_the_schema_that_is_printed_is_the_one_of_the_object() -> None:
    done = load("--json-schema")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == schema()


def test_a_ramp_is_a_step_of_its_own_before_the_first() -> None:
    with Server() as server:
        done = load(
            server.target, "--steps", "10x40,20x40", "--step-seconds", "0.5", "--ramp", "0.5", "--json"
        )
    steps = steps_of(done)
    assert [(step["ramp"], step["players"]) for step in steps] == [(True, 10), (False, 10), (False, 20)]
    assert [step["sent"] for step in steps] == pytest.approx([100, 200, 400], rel=0.1)
    assert report_of(done.stdout)["load"] == "steps"


def test_the_ladder_is_climbed_to_its_top() -> None:
    with Server() as server:
        steps = steps_of(load(server.target, "--ladder", "--step-seconds", "0.1", "--drain", "0.1", "--json"))
    assert [step["players"] for step in steps] == [100, 500, 1000, 2000, 5000]
    assert [step["rate_pps"] for step in steps] == [10, 20, 30, 50, 60]


def test_a_window_has_the_target_set_the_pace() -> None:
    with Server() as server:
        done = load(server.target, "--players", "10", "--window", "4", "--seconds", "0.5", "--json")
    (step,) = steps_of(done)
    assert (step["rate_pps"], step["window"], step["lost"]) == (None, 4, 0)
    assert step["acknowledged"] > 100


def test_a_table_says_where_every_message_ended() -> None:
    with Server(Faults(lose=10, duplicate=9)) as server:
        done = load(server.target, "--players", "20", "--rate", "50", "--seconds", "1")
    assert done.returncode == 0
    assert done.stderr == "step 1 of 1: 20×50 for 1 s\n"
    books = (
        f"{server.received - server.lost:,} acknowledged + {server.lost} lost, {server.duplicated} duplicated"
    )
    assert books in done.stdout
    assert re.search(r"^ 20×50( \*)? ", done.stdout, re.MULTILINE)


def test_players_meet_a_target_by_its_name() -> None:
    with Server() as server:
        target = server.target.replace("127.0.0.1", "localhost")
        done = load(target, "--address", "127.0.0.9", "--players", "1", "--seconds", "0.5", "--json")
    assert steps_of(done)[0]["lost"] == 0


def test_help_says_that_coordinated_omission_is_corrected() -> None:
    done = load("--help")
    assert done.returncode == 0
    assert "coordinated omission is corrected" in " ".join(done.stdout.split())


# ---------------------------------------------------------------- failures

HERE = "127.0.0.1:9"
DEVICE = ("10.0.0.1:8080", "--device", "net_null0", "--address", "10.0.0.2/24")
RULES = ("--rules", str(Path(__file__).resolve().parents[2] / "configs" / "world.yaml"))
PLAYED = (*RULES, "--world", "meadow")
USAGE = {
    "no target": ((), "no target is given"),
    "no port": (("10.0.0.1",), "the target: found"),
    "a multicast target": (("224.0.0.1:8080",), "not the address of one host"),
    "ladder and steps": ((HERE, "--ladder", "--steps", "1x1"), "--ladder and --steps exclude each other"),
    "ladder and players": ((HERE, "--ladder", "--players", "1"), "--players does not go with --ladder"),
    "ladder and seconds": ((HERE, "--ladder", "--seconds", "1"), "use --step-seconds"),
    "steps and window": ((HERE, "--steps", "1x1", "--window", "1"), "--window does not go with --steps"),
    "step-seconds alone": ((HERE, "--step-seconds", "1"), "--step-seconds needs --ladder or --steps"),
    "rate and window": ((HERE, "--rate", "1", "--window", "1"), "--rate does not go with --window"),
    "ramp and window": ((HERE, "--ramp", "1", "--window", "1"), "--ramp does not go with --window"),
    "no window": ((HERE, "--window", "0"), "--window: found 0, allowed: 1 or more"),
    "no rate": ((HERE, "--rate", "0"), "--rate: 100 players × 0 messages per second"),
    "no time": ((HERE, "--seconds", "0"), "--seconds: 0 is not a number of seconds greater than 0"),
    "a ramp back in time": ((HERE, "--ramp", "-1"), "--ramp: -1 is not a number of seconds"),
    "too long a drain": ((HERE, "--drain", "11"), "--drain: found 11.0, allowed: 0 to 10"),
    "no such type": ((HERE, "--mix", "fly=1"), "there is no message type"),
    "no such motion": ((HERE, "--motion", "fly"), "allowed: waypoint or crowd"),
    "too many players": ((HERE, "--players", "2000000"), "allowed: 1 to 1,048,576"),
    "mac without device": ((HERE, "--mac", "02:00:00:00:00:01"), "--mac needs --device"),
    "target-mac without device": ((HERE, "--target-mac", "02:00:00:00:00:01"), "--target-mac needs --device"),
    "memory without device": ((HERE, "--memory", "256"), "--memory needs --device"),
    "huge pages without device": ((HERE, "--huge-pages"), "--huge-pages needs --device"),
    "prefix without device": ((HERE, "--address", "127.0.0.2/8"), "without its prefix length"),
    "device without address": ((HERE, "--device", "net_null0"), "--device needs --address"),
    "device without number": ((*DEVICE[:2], "net_null", *DEVICE[3:]), 'did you mean "net_null0"'),
    "address without prefix": ((*DEVICE[:4], "10.0.0.2"), "which has no prefix length"),
    "another network": (("10.1.0.1:1", *DEVICE[1:]), "--target-mac"),
    "rules of no world": ((HERE, *RULES), "--rules needs --world NAME"),
    "a world of nobody": ((HERE, "--world", "meadow"), "--world needs --issue, or --rules"),
    "rules and issue": (
        (HERE, "--world", "meadow", *RULES, "--issue", RULES[1]),
        "--issue and --rules exclude each other",
    ),
    "rules and tickets": ((HERE, *PLAYED, "--tickets", "none"), "--rules and --tickets exclude each other"),
    "what nobody hears": ((HERE, *PLAYED, "--mix", "move=9,chat=1"), "chat does not go with --rules"),
    "what is taken twice": ((HERE, *PLAYED, "--duplicate", "5"), "--duplicate and --rebind do not go"),
    "another kind of address": ((HERE, "--address", "::1"), "not of the target's kind"),
}
UNAVAILABLE = {
    "a name that nobody has": (("nobody.invalid:8080",), "nobody.invalid does not resolve"),
    "a closed port": ((HERE, "--seconds", "5"), "nobody listens at UDP 127.0.0.1:9"),
    "a CPU of nobody": ((HERE, "--cpu", "900"), "--cpu: CPU 900 is outside this process's cpuset"),
    "a stranger's address": ((HERE, "--address", "192.0.2.77"), "the address is not this host's"),
    "no such PCI device": ((*DEVICE[:2], "fe:1f.7", *DEVICE[3:]), "--device: 0000:fe:1f.7 does not exist"),
    "no such interface": ((*DEVICE[:2], "net_af_packet0,iface=nothere0", *DEVICE[3:]), "no such interface"),
    "no such driver": ((*DEVICE[:2], "net_nothing0", *DEVICE[3:]), "DPDK has no virtual driver"),
    "a device's CPU of nobody": ((*DEVICE, "--cpu", "900"), "--cpu: CPU 900 is outside"),
    "a driver that refuses": ((*DEVICE[:2], "net_memif0,role=none", *DEVICE[3:]), "arguments in --device"),
    "nobody to ask": ((*DEVICE, "--seconds", "1"), "10.0.0.1:8080 did not tell its MAC address"),
    "no answer": (
        (*DEVICE, "--seconds", "1", "--target-mac", "02:00:00:00:00:01"),
        "messages; is the gateway running, does it listen there with profile: plain",
    ),
}


def assert_fails(done: subprocess.CompletedProcess[str], code: int, sentence: str) -> None:
    lines = [line for line in done.stderr.splitlines() if not line.startswith("step ")]
    assert (done.returncode, done.stdout, len(lines)) == (code, "", 1), done.stderr
    assert sentence in lines[0]


@pytest.mark.parametrize("case", USAGE)
def test_what_cannot_be_asked_for_ends_with_2_and_one_sentence(case: str) -> None:
    args, sentence = USAGE[case]
    assert_fails(load(*args), 2, sentence)


@pytest.mark.parametrize("case", UNAVAILABLE)
def test_what_is_not_there_ends_with_69_and_one_sentence(case: str) -> None:
    args, sentence = UNAVAILABLE[case]
    assert_fails(load(*args), 69, sentence)


def test_a_target_that_never_answers_ends_the_ladder_at_its_first_step() -> None:
    with Server(Faults(lose=1)) as server:
        done = load(server.target, "--steps", "10x10,10x10", "--step-seconds", "1", "--json")
    assert server.received <= 100  # of the first step only
    assert_fails(done, 69, f"{server.target} answered none of {server.received} messages")


@pytest.mark.parametrize("fault", [Faults(lose=2)], ids=["half"])
def test_loss_is_a_result_and_no_failure(fault: Faults) -> None:
    with Server(fault) as server:
        done = load(server.target, "--players", "10", "--seconds", "1", "--json")
    assert steps_of(done)[0]["lost"] == server.lost > 40


def test_more_players_than_open_files_end_with_69_and_the_command() -> None:
    # Without CAP_SYS_RESOURCE nobody, root neither, goes beyond the hard limit.
    limited = ("prlimit", "--nofile=200:200", "setpriv", "--bounding-set=-sys_resource", "--")
    assert_fails(load(HERE, "--players", "1000", before=limited), 69, "ulimit -n")


# ---------------------------------------------------------------- interrupts


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupt_gives_the_results_so_far(number: signal.Signals, code: int) -> None:
    args = ("--steps", "10x50,20x100,10x10", "--step-seconds", "600", "--json")
    with Server() as server, running(server.target, *args) as process:
        server.wait_until(lambda: server.received > 100)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (as_a_shell_sees_it(process.returncode), err) == (code, "")
    (step,) = report_of(out)["steps"]
    assert step["cut_short"] is True
    assert 100 < step["sent"] < 100_000
    assert step["acknowledged"] > 0


def test_an_interrupted_table_says_what_was_cut_short() -> None:
    with Server() as server, running(server.target, "--seconds", "600") as process:
        server.wait_until(lambda: server.received > 100)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert as_a_shell_sees_it(process.returncode) == 130
    assert re.search(r"100×10 was cut short after [\d.]+ of 600 s", out)


def test_steps_that_had_ended_are_kept_when_a_later_one_fails() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server())
        args = ("--steps", "10x10,10x10", "--step-seconds", "1", "--drain", "3", "--json")
        process = stack.enter_context(running(server.target, *args))
        server.wait_until(lambda: server.received >= 90)
        server.close()  # at the end of the first step: the second one finds nobody
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 69
    assert "nobody listens" in err
    (step,) = report_of(out)["steps"]
    assert step["acknowledged"] >= 90


def test_a_target_that_goes_away_is_said_and_no_full_queue(tmp_path: Path) -> None:
    with Server() as server, running(server.target, "--players", "10", "--seconds", "600") as process:
        server.wait_until(lambda: server.received > 100)
        server.close()
        assert process.stdout is not None
        # The refusals come to those who go on sending.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    said = " ".join(out.split())
    assert re.search(
        r"10×10: [\d,]+ datagrams were refused: nobody listens there \(ICMP port unreachable\)", said
    )
    assert "queue" not in said


def test_a_command_that_is_killed_leaves_no_process_behind() -> None:
    with Server() as server, running(server.target, "--seconds", "600", "--rate", "50") as process:
        server.wait_until(lambda: server.received > 100)
        (child,) = children(process.pid)
        process.kill()
        process.wait(timeout=TIMEOUT_S)
        server.wait_until(lambda: not is_alive(child))


def test_a_terminal_shows_a_bar_with_live_figures_and_then_the_table() -> None:
    with Server() as server:
        command = f"{' '.join(COMMAND)} {server.target} --seconds 1"
        done = subprocess.run(
            ["script", "--quiet", "--return", "--command", command, "/dev/null"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env={**ENVIRONMENT, "COLUMNS": "120", "TERM": "xterm"},
            check=False,
        )
    assert done.returncode == 0
    assert "━" in done.stdout
    assert "/s answered in " in done.stdout
    all_of_it = f"{server.received:,}"
    assert f"{all_of_it} of {all_of_it} answered" in done.stdout
    assert done.stdout.index("━") < done.stdout.index(f"{all_of_it} sent = {all_of_it} acknowledged + 0 lost")


def test_a_closed_pipe_ends_quietly() -> None:
    with Server() as server:
        done = subprocess.run(
            [
                "bash",
                "-o",
                "pipefail",
                "-c",
                f"{' '.join(COMMAND)} {server.target} --seconds 0.5 --json | true",
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=ENVIRONMENT,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
