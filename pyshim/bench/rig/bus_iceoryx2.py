# SPDX-License-Identifier: BSD-3-Clause
"""Two Python processes that talk by iceoryx2's wheel: `python -m … FIRST-CPU SECOND-CPU MILLISECONDS`.

Prints a line for each way, as tests/bench/bus/main.c does.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

_TURNS = 32  # of a conversation that are timed as one
_BLOCK = 1024  # messages of a stream that are timed as one
_QUEUE = 256
_LAST = 2**64 - 1  # in the first word: no message comes after this one
_BYTES = (64, 1024)


def _payload(size: int) -> Any:
    fields = [("first", ctypes.c_uint64), ("rest", ctypes.c_uint8 * (size - 8))]
    return type(f"Body{size}", (ctypes.Structure,), {"_fields_": fields})


class _Ends:
    """What one of the two processes says by, and hears by."""

    def __init__(self, size: int, first: int, side: int) -> None:
        iox2: Any = importlib.import_module("iceoryx2")
        iox2.set_log_level(iox2.LogLevel.Error)
        self._node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
        self._type = _payload(size)
        own, other = (self._service(iox2, f"pollgate-{first}-{size}-{each}") for each in (side, 1 - side))
        strategy = iox2.BackpressureStrategy.RetryUntilDelivered
        self._publisher = own.publisher_builder().backpressure_strategy(strategy).create()
        self._subscriber = other.subscriber_builder().buffer_size(_QUEUE).create()
        self._own = own
        self._body = self._type()

    def _service(self, iox2: Any, name: str) -> Any:
        builder = self._node.service_builder(iox2.ServiceName.new(name)).publish_subscribe(self._type)
        builder = builder.enable_safe_overflow(False).subscriber_max_buffer_size(_QUEUE)
        return builder.open_or_create()

    def await_peer(self) -> None:
        """Until the other hears."""
        while self._own.dynamic_config.number_of_subscribers == 0:
            time.sleep(0.001)

    def say(self, first: int) -> None:
        """A message: its first word is this."""
        self._body.first = first
        self._publisher.loan_uninit().write_payload(self._body).send()

    def hear(self) -> int:
        """The first word of the next message."""
        receive = self._subscriber.receive
        while (sample := receive()) is None:
            pass
        first: int = sample.payload().contents.first
        sample.delete()
        return first


def _converse(ends: _Ends, until_ns: int) -> float:
    """Nanoseconds one way, of the median of `_TURNS`."""
    times: list[int] = []
    then = time.perf_counter_ns()
    while then < until_ns or not times:
        for _ in range(_TURNS):
            ends.say(1)
            ends.hear()
        now = time.perf_counter_ns()
        times.append(now - then)
        then = now
    ends.say(_LAST)
    return median(times) / (2 * _TURNS)


def _answer(ends: _Ends) -> None:
    while (first := ends.hear()) != _LAST:
        ends.say(first)


def _send(ends: _Ends, until_ns: int) -> int:
    number = 0
    while number % _BLOCK or time.perf_counter_ns() < until_ns or number == 0:
        ends.say(number)
        number += 1
    ends.say(_LAST)
    return number


def _receive(ends: _Ends) -> tuple[float, int]:
    """Messages a second, and how many."""
    times = []
    number, then = 0, time.perf_counter_ns()
    while (first := ends.hear()) != _LAST:
        if first != number:
            raise SystemExit("a message of iceoryx2 is missing")
        number += 1
        if number % _BLOCK == 0:
            now = time.perf_counter_ns()
            times.append(now - then)
            then = now
    return _BLOCK * 1e9 / median(times), number


def _first(ends: dict[int, _Ends], slice_ns: int) -> Iterator[tuple[str, float, int]]:
    for size, end in ends.items():
        yield f"iceoryx2-{size}", _converse(end, time.perf_counter_ns() + slice_ns), 0
        yield f"iceoryx2-{size}-rate", 0.0, _send(end, time.perf_counter_ns() + slice_ns)


def _second(ends: dict[int, _Ends], results: int) -> None:
    for end in ends.values():
        _answer(end)
        rate, heard = _receive(end)
        os.write(results, json.dumps([rate, heard]).encode() + b"\n")


def main() -> None:
    """Run both, and print what was measured."""
    cpus = int(sys.argv[1]), int(sys.argv[2])
    slice_ns = int(sys.argv[3]) * 1_000_000
    first = os.getpid()
    reading, writing = os.pipe()
    child = os.fork()
    side = 0 if child else 1
    os.sched_setaffinity(0, {cpus[side]})
    ends = {size: _Ends(size, first, side) for size in _BYTES}
    for end in ends.values():
        end.await_peer()
    if not child:
        _second(ends, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as results:
        for name, value, said in _first(ends, slice_ns):
            heard = 0
            if name.endswith("-rate"):
                value, heard = json.loads(results.readline())  # noqa: PLW2901 - the other side measures a rate
            print(json.dumps({"name": name, "value": value, "said": said, "heard": heard}))
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
