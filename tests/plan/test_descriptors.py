# SPDX-License-Identifier: BSD-3-Clause
"""A plan that needs more file descriptors than the host allows is refused, with what they are for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyshim.config import Config
from pyshim.errors import ExitCode, PlanError
from pyshim.host import HugePages
from pyshim.planner import plan
from pyshim.planner.descriptors import descriptors_needed
from tests.plan.builders import make_config, make_host, make_memory, make_socket_config

SOCKETS = make_socket_config(listen=[{"port": 8080 + index} for index in range(16)])


def needed(config: Config) -> int:
    host = make_host(config)
    return descriptors_needed(plan(config, host), host)[0]


@pytest.mark.parametrize("config", [make_config("net_null0"), SOCKETS], ids=["devices", "sockets"])
def test_as_many_as_needed_are_enough_and_one_fewer_is_refused_with_both_numbers(config: Config) -> None:
    count = needed(config)
    host = make_host(config)
    plan(config, replace(host, descriptor_limit=count))
    with pytest.raises(PlanError) as caught:
        plan(config, replace(host, descriptor_limit=count - 1))
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    assert f"{count} file descriptors are needed" in str(caught.value)
    assert f"this process may have {count - 1}" in str(caught.value)


def test_every_socket_of_every_worker_is_counted() -> None:
    one = make_socket_config(listen=[{"port": 8080}])
    assert needed(SOCKETS) - needed(one) == 15 * len(plan(one, make_host(one)).workers) * len(
        one.ports[0].address
    )


def test_every_huge_page_is_counted() -> None:
    config = make_config("net_null0", eal={"huge_pages": True, "memory_mib": 512})
    host = make_host(config, memory=make_memory(HugePages(0, 2 << 20, 1024, 1024)))
    count, why = descriptors_needed(plan(config, host), host)
    assert "256 for huge pages" in why
    assert count >= 256
