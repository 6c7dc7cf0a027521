# SPDX-License-Identifier: BSD-3-Clause
"""Runs the servers of `bench engines` in rounds, one after the other on the same core.

Each round has one measurement of every server, so that whatever the machine does meanwhile, each figure has
one of the traditional server from the same minute to be compared with.

A measurement has two trials. The first keeps a window of messages in flight: a new one leaves when an answer
comes, so that a server is driven to its capacity and not beyond it, where a kernel would be busy with packets
that it throws away. The window is the smallest of WINDOWS that serves as much as the best, found in the first
round for each server. The second is paced at one rate for all, for latency and for the core's share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.rig.contestants import BASE, ENGINES, Engine, Link, settings
from pyshim.bench.rig.frames import GATE_PORT, write_moves
from pyshim.bench.rig.handling import handling_histogram, quantile
from pyshim.bench.rig.memif import TARGET, gateway_config, memif_generator
from pyshim.bench.rig.observe import observe
from pyshim.bench.rig.opponent import traditional, traditional_server
from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.private_network import (
    GENERATOR_ADDRESS,
    GENERATOR_INTERFACE,
    GENERATOR_MAC,
    SERVER_ADDRESS,
    PrivateNetwork,
)
from pyshim.bench.rig.processes import WARM_UP_S, all_received, gateway, run_between, scrape
from pyshim.bench.rig.replay import Setting, prepare
from pyshim.bench.rig.served import Played, Served
from pyshim.errors import UnavailableError
from pyshim.load.scenario import Crowd, Device, Trial
from pyshim.system.interruption import sleep

if TYPE_CHECKING:
    from pyshim.load.generator import Generator

WINDOWS = (32, 128, 512)  # below what the kernel queues for a CPU (net.core.netdev_max_backlog)
GOOD_ENOUGH = 0.97  # of the best window's rate
SWEEP_S = 0.1
FULL_SHARE = 0.6  # of a measurement's time; the rest is paced
DRAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """One server in one round."""

    packets_per_s: float
    busy: float  # share of its core while it was driven to its capacity
    busy_at_rate: float
    p50_s: float | None
    p99_s: float | None
    ceiling_pps: float | None  # of the generator; None: there was none
    why_generator: tuple[str, ...] = ()  # why the rate is the generator's
    why_late: tuple[str, ...] = ()  # likewise the latency

    @classmethod
    def of(cls, full: Played, paced: Played) -> Sample:
        """From the two trials of a measurement."""
        return cls(
            packets_per_s=full.packets_per_s,
            busy=full.busy,
            busy_at_rate=paced.busy,
            p50_s=paced.result.latency.p50_s,
            p99_s=paced.result.latency.p99_s,
            ceiling_pps=full.result.ceiling_pps,
            why_generator=full.why_generator(),
            why_late=paced.result.limits + paced.result.delays,
        )


@dataclass(slots=True)
class Standing:
    """One server's figures so far, by round."""

    engine: Engine
    window: int = 0
    samples: dict[int, Sample] = field(default_factory=dict)
    left_out: str = ""  # why it is measured no more


class Contest:
    """All servers, and what it takes to run them and to play against them."""

    def __init__(
        self, request: Request, placement: Placement, directory: Path, network: PrivateNetwork
    ) -> None:
        """Nothing is started yet; `close` ends what will be."""
        self._request, self._placement, self._directory, self._network = (
            request,
            placement,
            directory,
            network,
        )
        self._program = traditional_server(request.option("traditional", Path), directory)
        self._players = request.option("players", int)
        self._rate_pps = request.option("rate", int)
        self.steered = request.option("steer", bool)
        self._crowd = Crowd(players=self._players, mix=(("move", 1),))
        self._stack = ExitStack()
        self._cable: Generator | None = None
        self.standings = [Standing(engine) for engine in ENGINES]

    def close(self) -> None:
        """End the generator."""
        self._stack.close()

    def details(self) -> dict[str, object]:
        """What is the same for all servers."""
        return {
            "players": self._players,
            "flows": self._players,
            "fixed_rate_pps": self._rate_pps,
            "steered": self.steered,
        }

    def round(self, number: int) -> None:
        """Measure every server once.

        Raises:
            UnavailableError: the traditional one does not run.
        """
        for standing in self.standings:
            if standing.left_out:
                continue
            try:
                sample = self._measure(standing)
            except UnavailableError as problem:
                if standing.engine is BASE:
                    raise
                standing.left_out = str(problem)
                continue
            standing.samples[number] = sample
            self._request.progress(
                f"round {number + 1} of {self._request.pairs}: {standing.engine.name} "
                f"{sample.packets_per_s:,.0f} packets/s"
            )

    # ------------------------------------------------------------ one measurement

    def _measure(self, standing: Standing) -> Sample:
        if standing.engine.link is Link.REPLAY:
            return self._replay()
        with ExitStack() as stack:
            served = stack.enter_context(self._serving(standing.engine))
            if standing.engine.link is Link.CABLE:
                generator = self._on_cable()
            else:
                generator = stack.enter_context(
                    memif_generator(self._directory, self._crowd, self._placement.generator)
                )
            standing.window = standing.window or self._best_window(served, generator)
            # Every player has a session before anything counts.
            served.play(generator, self._trial(SWEEP_S, window=standing.window))
            seconds = self._request.seconds
            full = served.play(generator, self._trial(seconds * FULL_SHARE, window=standing.window))
            paced = served.play(generator, self._trial(seconds * (1 - FULL_SHARE), rate_pps=self._rate_pps))
        return Sample.of(full, paced)

    def _trial(self, seconds: float, *, window: int = 0, rate_pps: float = 0.0) -> Trial:
        return Trial(self._players, seconds, rate_pps, window=window, drain_s=DRAIN_S)

    def _best_window(self, served: Served, generator: Generator) -> int:
        served.play(generator, self._trial(SWEEP_S, window=WINDOWS[0]))  # sessions first
        rates = {
            window: served.play(generator, self._trial(SWEEP_S, window=window)).packets_per_s
            for window in WINDOWS
        }
        return next(window for window, rate in rates.items() if rate >= GOOD_ENOUGH * max(rates.values()))

    @contextmanager
    def _serving(self, engine: Engine) -> Iterator[Served]:
        with ExitStack() as stack:
            if engine.needs_address:
                stack.enter_context(self._network.server_address())
            url = None
            if not engine.engine:
                stack.enter_context(
                    traditional(self._program, SERVER_ADDRESS.ip, GATE_PORT, self._placement.server)
                )
            else:
                url = stack.enter_context(gateway(self._config(engine), self._network.inside))
            interrupted = engine.link is Link.CABLE and self.steered
            yield Served(self._placement.server, url, polls=engine.polls, interrupted=interrupted)

    def _config(self, engine: Engine) -> Path:
        if engine.link is Link.MEMIF:
            return gateway_config(self._directory, self._placement.server)
        path = self._directory / f"{engine.name}.yaml"
        path.write_text(settings(engine.engine, engine.vdev, self._placement.server))
        return path

    def _on_cable(self) -> Generator:
        """The generator on the cable, which all servers there share."""
        if self._cable is None:
            # Loads DPDK, which the benchmarks' other commands can do without.
            from pyshim.load.generator import Generator  # noqa: PLC0415

            device = Device(
                f"net_af_packet0,iface={GENERATOR_INTERFACE},framecnt=4096",
                (GENERATOR_ADDRESS,),
                GENERATOR_MAC,
                self._placement.generator,
            )
            self._cable = self._stack.enter_context(
                Generator(self._crowd, TARGET, device, prefix=self._network.inside)
            )
        return self._cable

    def _replay(self) -> Sample:
        """The gateway on its own, with a device that brings as many packets as it takes."""
        capture = write_moves(self._directory / "moves.pcap", self._players)
        replay = prepare(self._directory, "replay", [capture], Setting(cpus=[self._placement.server]))
        with gateway(replay.config) as url:
            sleep(WARM_UP_S)
            (handled_before, before), (handled_after, after) = observe(
                lambda: (handling_histogram(url), scrape(url)),
                self._request.seconds,
                lambda earlier, later: all_received(earlier[1], later[1]),
            )
        run = run_between(before, after, replay.tsc_hz)
        if run.dropped:
            raise UnavailableError(f"the gateway dropped {run.dropped:,} of the capture's packets")
        return Sample(
            packets_per_s=run.packets_per_s,
            busy=run.core_share(run.packets_per_s, replay.tsc_hz),
            busy_at_rate=run.core_share(self._rate_pps, replay.tsc_hz),
            p50_s=quantile(handled_before, handled_after, 0.5),
            p99_s=quantile(handled_before, handled_after, 0.99),
            ceiling_pps=None,
        )
