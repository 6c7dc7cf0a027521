# SPDX-License-Identifier: BSD-3-Clause
"""The life of the worker processes of a run, one after the other, as a value: nothing here has an effect.

What happens to them comes in; the life that follows, what is to be done and what is to be told come out. So
every order of events can be tried without a process.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from pyshim.errors import InternalError
from pyshim.run.restarts import Restarts
from pyshim.run.waiting import Waiting

STOP_LIMIT_S = 4.0  # draining and closing the devices
ABORT_GRACE_S = 0.2  # for a core dump's first pages; the kernel finishes it in spite of SIGKILL's haste

SHORT_OF_MEMORY = (
    "the kernel killed the worker process because memory is short; all sessions are kept, and it is started "
    "again until there is enough: free some, or raise the limit of its container (systemd: MemoryMax=)"
)


class Phase(Enum):
    """Where the life stands."""

    STARTING = auto()  # a worker process exists and has not said that it serves
    RUNNING = auto()
    REPLACING = auto()  # told to end, and the next one goes on
    WAITING = auto()  # no worker process; the next one comes when its time has come
    STOPPING = auto()  # told to end
    ENDED = auto()


class Do(Enum):
    """What is to be done to the worker process."""

    SPAWN = auto()  # start one: `spawned` follows, or `missed`
    STOP = auto()  # tell it to end, and its players
    HAND_OVER = auto()  # tell it to end; its players go on with the next one
    ABORT = auto()  # end it with a core dump
    KILL = auto()


@dataclass(frozen=True, slots=True)
class Death:
    """What is known of the end of a worker process."""

    how: str  # as the end of "the worker process ..."
    in_order: bool = False  # it said that all is out and closed
    problem: str | None = None  # that it named itself
    missing: str | None = None  # what was not there, if that is why
    short_of_memory: bool = False  # the kernel killed it for that
    last_line: str | None = None  # of its log, if it says something


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from an event."""

    life: Life
    do: tuple[Do, ...] = ()
    told: tuple[tuple[str, str], ...] = ()  # level and sentence, for the operator


@dataclass(frozen=True, slots=True)
class Life:
    """A value: events are its methods, and times must not go back."""

    restarts: Restarts
    phase: Phase = Phase.WAITING
    due_s: float = 0.0  # when the phase has lasted too long, or long enough; meaningless while running
    start_limit_s: float = 0.0  # of the worker process that is there
    condemned: str | None = None  # why the supervisor itself ends it
    kill_at_s: float | None = None
    served: bool = False  # any of them
    interrupts: int = 0
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def serves(self) -> bool:
        """Whether there is a worker process that does its work, as far as is known here."""
        return self.phase is Phase.RUNNING and self.condemned is None

    # ------------------------------------------------------------ from the start on

    def due(self, now_s: float) -> Step:
        """What is due by time."""
        life = self
        do: tuple[Do, ...] = ()
        if self.kill_at_s is not None and now_s >= self.kill_at_s:
            life, do = replace(self, kill_at_s=None), (Do.KILL,)
        if now_s < self.due_s:
            return Step(life, do)
        match self.phase:
            case Phase.WAITING:
                return Step(life, (*do, Do.SPAWN))
            case Phase.STARTING:
                late = life.condemn(f"did not start within {self.start_limit_s:.0f} s", now_s)
                return Step(late.life, (*do, *late.do))
            case Phase.STOPPING | Phase.REPLACING if self.condemned is None:
                why = f"did not end within {STOP_LIMIT_S:.0f} s"
                return Step(replace(life, condemned=why), (*do, Do.KILL))
            case _:
                return Step(life, do)

    def spawned(self, limit_s: float, now_s: float) -> Step:
        """A worker process exists, and has so long to serve."""
        life = replace(self, phase=Phase.STARTING, due_s=now_s + limit_s, start_limit_s=limit_s)
        return Step(replace(life, condemned=None, kill_at_s=None))

    def started(self) -> Step:
        """It says that it serves; one that is to end already is not believed."""
        if self.phase is not Phase.STARTING or self.condemned is not None:
            return Step(self)
        told = (("info", "the worker process serves again"),) if self.served else ()
        life = replace(self, phase=Phase.RUNNING, served=True, waiting=self.waiting.over())
        return Step(life, told=told)

    # ------------------------------------------------------------ to an end

    def condemn(self, why: str, now_s: float) -> Step:
        """It does not do its work; its death is one like any other."""
        if self.condemned is not None:
            return Step(self)
        return Step(replace(self, condemned=why, kill_at_s=now_s + ABORT_GRACE_S), (Do.ABORT,))

    def hand_over(self, now_s: float) -> Step:
        """Only the next one can open the devices anew."""
        return Step(replace(self, phase=Phase.REPLACING, due_s=now_s + STOP_LIMIT_S), (Do.HAND_OVER,))

    def stop(self, now_s: float) -> Step:
        """The run is to end."""
        if self.phase is Phase.WAITING:
            return Step(replace(self, phase=Phase.ENDED))
        if self.phase in {Phase.STOPPING, Phase.ENDED}:
            return Step(self)
        return Step(replace(self, phase=Phase.STOPPING, due_s=now_s + STOP_LIMIT_S), (Do.STOP,))

    def interrupted(self, now_s: float) -> Step:
        """Ctrl-C: the run is to end; the second one means at once."""
        life = replace(self, interrupts=self.interrupts + 1)
        if life.interrupts >= 2 and life.phase is Phase.STOPPING:
            return Step(replace(life, condemned="was told to end at once"), (Do.KILL,))
        return life.stop(now_s)

    def ended(self) -> Life:
        """The run is over, whatever was to be done."""
        return replace(self, phase=Phase.ENDED)

    # ------------------------------------------------------------ after one

    def died(self, death: Death, now_s: float) -> Step:
        """The worker process has ended, whyever.

        Raises:
            InternalError: that happened too often.
        """
        gone = replace(self, condemned=None, kill_at_s=None)
        story = self._story(death)
        lost = (("warning", f"the worker process {story}; packets in its hands are lost"),)
        if self.phase is Phase.STOPPING:
            return Step(replace(gone, phase=Phase.ENDED), told=() if death.in_order else lost)
        # On a busy host one may be too slow to end: it was to go, and nothing was wrong with it.
        if self.phase is Phase.REPLACING and (death.in_order or self.condemned is not None):
            return Step(gone._next(0.0, now_s), told=() if self.condemned is None else lost)
        if death.short_of_memory:
            return gone._short_of_memory(now_s, counts=self.phase is not Phase.STARTING)
        if death.missing is not None:
            return gone.missed(death.missing, now_s)
        return gone._restarted(story, death.last_line, now_s)

    def missed(self, reason: str, now_s: float) -> Step:
        """None can be started, for want of something that may come back: tried again without end."""
        sentence = (
            f"the worker process cannot start: {reason}; all sessions are kept, and it is tried again "
            "until it can"
        )
        return self._wait(reason, sentence, now_s)

    def _story(self, death: Death) -> str:
        """How it ended and why, as far as anybody said so."""
        if death.problem is not None:
            return f"failed: {death.problem}"
        return f"{self.condemned} and {death.how}" if self.condemned is not None else death.how

    def _short_of_memory(self, now_s: float, *, counts: bool) -> Step:
        """That is the host's fault and not the worker's: it does not use up the restarts that are allowed."""
        restarts = self.restarts.excused() if counts else self.restarts
        return replace(self, restarts=restarts)._wait(SHORT_OF_MEMORY, SHORT_OF_MEMORY, now_s)

    def _wait(self, reason: str, sentence: str, now_s: float) -> Step:
        waiting, tell = self.waiting.missed(reason, now_s)
        life = replace(self, waiting=waiting)._next(waiting.wait_s, now_s)
        return Step(life, told=(("warning", sentence),) if tell else ())

    def _restarted(self, story: str, last_line: str | None, now_s: float) -> Step:
        restarts = self.restarts.died(now_s)
        if restarts.exhausted:
            raise InternalError(
                f"the worker process died {len(restarts.recent)} times within {restarts.window_s:g} s and is "
                f"not started again (workers.restart_limit is {restarts.limit}); the last time it {story}"
                + (f"; the last line of its log: {last_line}" if last_line else "")
            )
        wait_s = restarts.wait_s
        when = f"in {wait_s:g} s" if wait_s else "now"
        told = ("warning", f"the worker process {story}; it is started again {when}")
        return Step(replace(self, restarts=restarts)._next(wait_s, now_s), told=(told,))

    def _next(self, wait_s: float, now_s: float) -> Life:
        return replace(self, phase=Phase.WAITING, due_s=now_s + wait_s)
