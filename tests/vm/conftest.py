# SPDX-License-Identifier: BSD-3-Clause
"""One machine serves a module's tests, one appliance a class's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network.players import Crowd
from tests.network.tagged import STACKS
from tests.session.deployment import Deployment
from tests.vm import image
from tests.vm.gate import checked, serving, settings
from tests.vm.guest import Guest, Machine


@pytest.fixture(scope="module")
def guest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The machine that the module's `MACHINE` describes."""
    if (reason := image.missing()) is not None:
        pytest.skip(reason)
    machine: Machine = request.module.MACHINE
    with Guest(machine, tmp_path_factory.mktemp("vm")) as running:
        yield running


@pytest.fixture(scope="module")
def bound(guest: Guest, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    """The same, its card taken from the kernel by what `pollgate check` says for this very host."""
    if guest.machine.kernel_driver is not None:
        guest.give_to_kernel("192.0.2.1/24")
    said = checked(guest, settings(), tmp_path_factory.mktemp("check")).stderr
    assert guest.machine.kernel_driver is None or "192.0.2.1" in said, said  # which is lost
    advice = next(line for line in said.splitlines() if "run: " in line)
    guest.run("sh", "-c", advice.rpartition("run: ")[2])
    assert guest.driver() == request.module.DRIVER, said
    return guest


@pytest.fixture(scope="class")
def deployment(
    bound: Guest, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """An appliance with the class's `settings`."""
    with serving(bound, request.cls.settings, tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest.fixture
def crowd(guest: Guest) -> Iterator[Crowd]:
    made = Crowd(guest.wire.players)
    yield made
    made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stack" in metafunc.fixturenames:
        metafunc.parametrize("stack", STACKS)
