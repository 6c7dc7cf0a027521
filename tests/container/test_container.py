# SPDX-License-Identifier: BSD-3-Clause
"""The image of docker/Dockerfile builds on Debian's base, and the demo serves players in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.container import images

TAG = "localhost/pollgate:test"

pytestmark = pytest.mark.timeout(1500)  # a first run makes a Debian and compiles; pip and apt fetch


@pytest.fixture(scope="module")
def image() -> str:
    """The image's tag; built from this tree."""
    if (reason := images.missing()) is not None:
        pytest.skip(reason)
    images.ensure_base()
    images.build(TAG, images.ROOT / "docker" / "Dockerfile")
    return TAG


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[str]:
    """A container of the image."""
    with images.container(image) as name:
        yield name


def total(metric: Any) -> int:
    """Sum over all labels of a metric of the JSON summary."""
    return sum(total(part) for part in metric.values()) if isinstance(metric, dict) else int(metric)


def test_demo_serves_players_in_the_image_without_any_capability(container: str) -> None:
    output = images.run_in(container, "pollgate", "run", "-c", "configs/demo.yaml", "--for", "3", "--json")
    summary = json.loads(output)

    received = total(summary["pollgate_port_receive_packets_total"])
    messages = total(summary["pollgate_messages_total"])
    assert messages > 0
    assert received == messages + total(summary["pollgate_drops_total"])
    assert summary["pollgate_worker_restarts_total"] == 0


def test_image_runs_as_an_ordinary_user(container: str) -> None:
    user = images.run_in(container, "id", "--user").strip()
    assert user not in {"", "0"}


def test_image_has_no_compiler_and_no_headers(container: str) -> None:
    found = images.run_in(container, "sh", "-c", "command -v gcc cc pip; ls /usr/include/dpdk; true")
    assert found == ""


def test_health_check_asks_the_address_that_the_demo_serves(image: str) -> None:
    docker = json.loads(images.buildah("inspect", "--type", "image", image))["Docker"]["config"]
    demo = yaml.safe_load((images.ROOT / "configs" / "demo.yaml").read_text())
    assert f"http://{demo['metrics']['listen']}/healthz" in docker["Healthcheck"]["Test"][-1]


def test_compose_gives_the_gateway_no_privilege_and_prometheus_its_address() -> None:
    services = yaml.safe_load((images.ROOT / "docker" / "compose.yaml").read_text())["services"]
    gate, prometheus = services["pollgate"], services["prometheus"]
    assert gate["read_only"] is True
    assert gate["cap_drop"] == ["ALL"]
    assert "cap_add" not in gate
    assert "privileged" not in gate
    assert prometheus["network_mode"] == "service:pollgate"

    scrape = yaml.safe_load((images.ROOT / "docker" / "prometheus.yml").read_text())["scrape_configs"]
    demo = yaml.safe_load((images.ROOT / "configs" / "demo.yaml").read_text())
    assert scrape[0]["static_configs"][0]["targets"] == [demo["metrics"]["listen"]]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: scripts/setup --test installs it")
def test_prometheus_accepts_its_configuration() -> None:
    images.run(("promtool", "check", "config", images.ROOT / "docker" / "prometheus.yml"), timeout_s=30)
