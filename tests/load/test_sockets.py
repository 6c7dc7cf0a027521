# SPDX-License-Identifier: BSD-3-Clause
"""The generator over kernel sockets, against a server that does wrong on purpose and counts what it did."""

from __future__ import annotations

import os
import threading
from ipaddress import ip_address

import pytest

from pyshim.errors import InternalError, UnavailableError, UsageError
from pyshim.load.generator import Generator
from pyshim.load.result import Counts, Result
from pyshim.load.scenario import DEFAULT_MIX, Crowd, Sockets, Target, Trial
from tests.load.servers import NOTED, Faults, Server

PLAYERS = 20
TRIAL = Trial(PLAYERS, 0.5, 2000.0, drain_s=1.0)


def generator(server: Server, crowd: Crowd | None = None, via: Sockets | None = None) -> Generator:
    address, _, port = server.target.rpartition(":")
    target = Target(ip_address(address.strip("[]")), int(port))
    return Generator(crowd or Crowd(PLAYERS), target, via or Sockets())


def played(server: Server, trial: Trial = TRIAL, crowd: Crowd | None = None) -> Result:
    with server, generator(server, crowd) as playing:
        result = playing.run(trial)
    assert result.offered == result.sent + result.not_sent
    assert result.sent == result.acknowledged + result.lost == sum(result.sent_of_type.values())
    assert result.acknowledged == sum(result.acknowledged_of_type.values()) == result.latency.count
    assert server.received == result.sent
    return result


def wrongs(result: Result) -> dict[str, int]:
    names = ("lost", "duplicated", "reordered", "invalid", "stray")
    return {name: count for name in names if (count := getattr(result, name))}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_target_that_answers_everything_loses_nothing(address: str) -> None:
    server = Server(address=address)
    result = played(server)
    assert wrongs(result) == {}
    assert result.sent > 900
    assert not result.cut_short


def test_what_is_reported_lost_is_what_the_server_did_not_answer() -> None:
    server = Server(Faults(lose=7))
    assert wrongs(played(server)) == {"lost": server.lost}
    assert server.lost == server.received // 7 > 0


def test_what_is_reported_duplicated_was_answered_twice() -> None:
    server = Server(Faults(duplicate=5))
    assert wrongs(played(server)) == {"duplicated": server.duplicated}
    assert server.duplicated == server.received // 5 > 0


def test_what_is_reported_reordered_overtook_another_answer_of_its_player() -> None:
    server = Server(Faults(reorder=9))
    assert wrongs(played(server)) == {"reordered": server.reordered}
    assert server.reordered > 50


def test_every_wrong_at_once_is_told_apart() -> None:
    server = Server(Faults(lose=11, duplicate=13, reorder=17, garble=19))
    assert wrongs(played(server)) == {
        "lost": server.lost,
        "duplicated": server.duplicated,
        "reordered": server.reordered,
        "invalid": server.garbled,
    }
    assert min(server.lost, server.duplicated, server.reordered, server.garbled) > 20


def test_answers_to_an_earlier_trial_are_strays_and_were_lost_then() -> None:
    with Server(Faults(hold_first=40)) as server, generator(server) as playing:
        first = playing.run(TRIAL)
        assert wrongs(first) == {"lost": 40}
        server.release()
        assert wrongs(playing.run(TRIAL)) == {"stray": 40}


def test_a_window_keeps_so_many_messages_unanswered_and_no_more() -> None:
    most = 0

    def watch(counts: Counts) -> None:
        nonlocal most
        most = max(most, counts.sent - counts.acknowledged)

    with Server() as server, generator(server) as playing:
        result = playing.run(Trial(PLAYERS, 1.0, window=8, drain_s=1.0), watch)
    assert wrongs(result) == {}
    assert result.sent > 1000
    assert 0 < most <= 8 + 64  # counters are read one after the other, while a burst is on its way


def test_messages_are_of_the_mix_and_of_every_type_of_it() -> None:
    crowd = Crowd(PLAYERS, mix=(("chat", 1), ("skill", 1)), chat_bytes=512)
    result = played(Server(), crowd=crowd)
    assert {name for name, count in result.sent_of_type.items() if count} == {"chat", "skill"}
    assert min(result.sent_of_type["chat"], result.sent_of_type["skill"]) > 300
    everything = played(Server())
    assert all(everything.acknowledged_of_type[name] for name, _ in DEFAULT_MIX)


def test_the_same_seed_sends_the_same_messages() -> None:
    servers = [Server() for _ in range(3)]
    for server, seed in zip(servers, (3, 3, 4), strict=True):
        played(server, crowd=Crowd(PLAYERS, seed=seed))
        assert len(server.bodies) == NOTED
    assert servers[0].bodies == servers[1].bodies != servers[2].bodies


def test_a_ramp_sends_half_of_what_its_last_rate_would() -> None:
    result = played(Server(), Trial(PLAYERS, 1.0, 0.0, 1000.0, drain_s=1.0))
    assert result.sent == pytest.approx(500, rel=0.1)


def test_a_slow_target_has_round_trips_that_are_as_long() -> None:
    result = played(Server(Faults(delay_s=0.02)), Trial(PLAYERS, 0.5, 20.0, drain_s=2.0))
    assert result.latency.p50_s is not None
    assert result.latency.p50_s >= 0.02


def test_a_target_that_stalls_makes_everyone_wait_and_not_one_message_only() -> None:
    server = Server(Faults(stall_after=200, stall_s=0.4))
    result = played(server, Trial(PLAYERS, 1.0, 1000.0, drain_s=1.0))
    # 400 of 1,000 messages became due in the stall, evenly: a fifth of all waited for half of it or longer.
    waited = result.latency.at(81)
    assert waited is not None
    assert waited >= 0.19


def test_players_send_from_the_addresses_that_they_are_given() -> None:
    sources: set[str] = set()

    class Noting(Server):
        def _handle(self, data: bytes, source: object) -> None:
            assert isinstance(source, tuple)
            sources.add(source[0])
            super()._handle(data, source)

    own = (ip_address("127.0.0.2"), ip_address("127.0.0.3"))
    with Noting() as server, generator(server, via=Sockets(own)) as playing:
        result = playing.run(TRIAL)
    assert wrongs(result) == {}
    assert sources == {"127.0.0.2", "127.0.0.3"}


def test_progress_is_watched_while_it_grows() -> None:
    seen: list[int] = []
    with Server() as server, generator(server) as playing:
        result = playing.run(TRIAL, lambda counts: seen.append(counts.sent))
    assert len(seen) >= 2
    assert seen == sorted(seen)
    assert seen[-1] <= result.sent


def test_a_trial_that_is_stopped_gives_what_there_is() -> None:
    with Server() as server, generator(server) as playing:
        timer = threading.Timer(0.3, playing.stop)
        timer.start()
        result = playing.run(Trial(PLAYERS, 600.0, 1000.0))
        timer.join()
        assert result.cut_short
        assert 0 < result.sent < 100_000
        assert result.acknowledged > 0
        again = playing.run(TRIAL)
        assert (again.cut_short, again.sent) == (True, 0)


def test_more_players_than_the_crowd_has_are_refused() -> None:
    with (
        Server() as server,
        generator(server) as playing,
        pytest.raises(UsageError, match="21 players of 20"),
    ):
        playing.run(Trial(PLAYERS + 1, 1.0, 10.0))


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with Server() as server:
        pass
    with generator(server) as playing, pytest.raises(UnavailableError, match="nobody listens at UDP 127"):
        playing.run(TRIAL)


def test_an_address_that_is_not_this_hosts_is_unavailable() -> None:
    stranger = Sockets((ip_address("192.0.2.77"),))
    with Server() as server, pytest.raises(UnavailableError, match="the address is not this host's"):
        generator(server, via=stranger).__enter__()


def test_a_cpu_that_is_not_ours_is_unavailable() -> None:
    with Server() as server, pytest.raises(UnavailableError, match="--cpu: CPU 900 is outside"):
        generator(server, via=Sockets(cpu=900)).__enter__()


def test_a_process_that_dies_is_one_sentence() -> None:
    with Server() as server, generator(server) as playing:
        timer = threading.Timer(0.3, os.kill, (playing.pid, 11))
        timer.start()
        with pytest.raises(InternalError, match="the generator's process was killed by SIGSEGV"):
            playing.run(Trial(PLAYERS, 600.0, 1000.0))
        timer.join()


def test_the_process_is_gone_when_the_block_is_left() -> None:
    with Server() as server, generator(server) as playing:
        pid = playing.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
