# SPDX-License-Identifier: BSD-3-Clause
"""What DPDK prints when it fails → what an operator can do about it.

EAL (DPDK's environment layer) and its drivers report a cause in their log, often many lines before the line
that says that something failed, and among lines that stand in the log of good starts too. So a cause is named
only when it explains the step that failed (the environment, the packet pools, one port), and lines that good
starts have explain nothing. `pyshim/eal/causes.py` is the list of what is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyshim.eal.causes import CAUSES, Failure, Step, Where
from pyshim.errors import InternalError, PollgateError, UnavailableError
from pyshim.plan import Plan, PortPlan

TAIL_LINES = 200
# Lines that stand in the log of every run, good ones included.
_NOISE = re.compile(
    r"^\s*$|Detected (CPU lcores|NUMA nodes|static|shared)|Multi-process socket|Selected IOVA mode"
    r"|VFIO support|TELEMETRY|telemetry|Using IOMMU type|Probe PCI driver"
    r"|No free \d+ kB hugepages reported on node|reserved, but no mounted hugetlbfs"
    r"|Physical addresses are unavailable|No DPDK runtime directory created"
    r"|Error creating '\S*/dpdk\S*'|^\d+: \S+ \(.*\) \[[0-9a-f]+\]$"
    r"|mp action callback|Failed to send start req to secondary"
    r"|multiq qdisc|Specified qdisc kind is unknown|Disabling rte flow support"
    r"|^libbpf: elf: skipping|^libxdp: (No bpffs found|Can't use dispatcher|Falling back)"
    r"|vhost-user server: socket created|binding succeeded|waiting for client connection"
    r"|Bus \(\w+\) probe failed|vdev_probe\(\): failed to initialize"
)
# Who said it: EAL or a driver's function. It means nothing to an operator.
_SPEAKER = re.compile(r"^\s*(?:\w+: |\w+\(\):? )+")
_STEPS = (
    (re.compile(r"DPDK's environment"), Step.ENVIRONMENT),
    (re.compile(r"mbuf pool "), Step.POOLS),
    (re.compile(r"the worker process "), Step.CRASH),
    (re.compile(r"port (?P<port>[^\s:]+)(?: \(|: no device)"), Step.PORT),
)


def explain(message: str, log: Sequence[str], plan: Plan) -> str:
    """One sentence about a failed start: `message` of the data plane, then its cause if that is known."""
    return _explain(message, log, plan)[0]


def crash_error(message: str, log: Sequence[str], plan: Plan) -> PollgateError:
    """What a worker process that died while it started stands for.

    DPDK aborts for some things of the host that are missing; when it is not known to have, it is a bug.
    """
    text, known = _explain(message, log, plan)
    return UnavailableError(text) if known else InternalError(text)


def _explain(message: str, log: Sequence[str], plan: Plan) -> tuple[str, bool]:
    """The sentence, and whether the cause is known."""
    failure = _failure(message, plan)
    telling = [line for line in log if not _is_noise(line) and not _is_of_another(line, failure)]
    last = last_meaningful(telling)
    said = f"; its last word: {last}" if last and last not in message else ""
    if plan.uses_sockets:
        return f"{message}{said}", False  # DPDK had no part in it
    for cause in CAUSES:
        if failure.step not in cause.steps or not cause.applies(failure):
            continue
        texts = {Where.LINE: telling[::-1], Where.LOG: ["\n".join(log)], Where.MESSAGE: [message]}
        for match in filter(None, map(cause.text.search, texts[cause.where])):
            return f"{_ended(message)} {cause.say(match, failure)}{said if cause.vague else ''}", True
    return (f"{_ended(message)} DPDK has no known explanation{said}" if said else message), False


def last_meaningful(log: Sequence[str]) -> str | None:
    """The last line that is not said in every run, without its speaker; None when there is none."""
    return next((_SPEAKER.sub("", line).strip() for line in reversed(log) if not _is_noise(line)), None)


def _failure(message: str, plan: Plan) -> Failure:
    for text, step in _STEPS:
        if match := text.match(message):
            name = match.groupdict().get("port")
            return Failure(step, plan, next((port for port in plan.ports if port.name == name), None))
    return Failure(Step.OTHER, plan, None)


def _is_noise(line: str) -> bool:
    return _NOISE.search(line) is not None


def _is_of_another(line: str, failure: Failure) -> bool:
    """Whether a line names another port's device, and not that of the port that failed."""
    failed = failure.port
    if failed is None or _names(line, failed):
        return False
    return any(_names(line, port) for port in failure.plan.ports)


def _names(line: str, port: PortPlan) -> bool:
    return bool(port.device) and re.search(rf"(?<!\w){re.escape(port.device)}(?!\w)", line) is not None


def _ended(message: str) -> str:
    return message if message.endswith((".", "!", "?")) else f"{message.rstrip(':;, ')}:"
