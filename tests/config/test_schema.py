# SPDX-License-Identifier: BSD-3-Clause
"""The JSON Schema in the repository and the example files beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.config import DeliveryConfig, ListenConfig, export_schema, load_config
from pyshim.config.schema import main, schema_text

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "configs").glob("*.yaml"))


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def test_the_schema_file_is_current() -> None:
    assert main(["--check", str(ROOT / "configs/pollgate.schema.json")]) == 0


def test_a_stale_schema_file_is_reported_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schema.json"
    assert main(["--check", str(file)]) == 1
    file.write_text("{}")
    assert main(["--check", str(file)]) == 1
    assert "not current; run: python -m pyshim.config.schema" in capsys.readouterr().err
    assert file.read_text() == "{}"
    assert main([str(file)]) == 0
    assert json.loads(file.read_text()) == export_schema()
    assert main(["--check", str(file)]) == 0


def test_the_schema_module_runs_without_warnings() -> None:
    command = [sys.executable, "-W", "error", "-m", "pyshim.config.schema", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_schema_is_the_same_each_time() -> None:
    assert schema_text() == schema_text()


def test_every_key_is_described() -> None:
    schema = export_schema()
    properties = [
        (key, schema["$defs"][value["$ref"].rpartition("/")[2]] | value if "$ref" in value else value)
        for node in nodes(schema)
        if node.get("type") == "object"  # others are conditions, on keys that are described elsewhere
        for key, value in node["properties"].items()
    ]
    assert len(properties) > 30
    assert [key for key, value in properties if not value.get("description")] == []


def test_every_mapping_refuses_unknown_keys() -> None:
    mappings = [node for node in nodes(export_schema()) if node.get("type") == "object"]
    assert len(mappings) == 26
    assert all(node["additionalProperties"] is False for node in mappings)


def test_only_ports_is_required() -> None:
    assert export_schema()["required"] == ["ports"]


def test_patterns_take_what_the_examples_say() -> None:
    definitions = export_schema()["$defs"]
    port = definitions["PortConfig"]["properties"]
    for path in EXAMPLES:
        for loaded in load_config(path).ports:
            assert not loaded.device or re.search(port["device"]["pattern"], loaded.device)
            assert all(re.search(port["address"]["items"]["pattern"], str(a)) for a in loaded.address)
    assert re.search(port["mac"]["anyOf"][0]["pattern"], "02:00:00:00:00:02")
    assert not re.search(port["mac"]["anyOf"][0]["pattern"], "01:00:00:00:00:02")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid_and_names_its_schema(path: Path) -> None:
    load_config(path)
    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=pollgate.schema.json"


def test_all_examples_are_there() -> None:
    assert {path.name for path in EXAMPLES} >= {
        "demo.yaml", "null.yaml", "af_packet.yaml", "tap.yaml", "bare-metal.yaml",
        "epoll.yaml", "io_uring.yaml", "session.yaml", "netcode.yaml", "game.yaml",
        "world.yaml",
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_the_example_of_a_socket_engine_listens_on_loopback(engine: str) -> None:
    config = load_config(ROOT / f"configs/{engine}.yaml")
    assert config.engine == engine
    assert all(address.is_loopback for port in config.ports for address in port.address)


def test_the_example_of_sessions_is_what_its_defaults_are() -> None:
    config = load_config(ROOT / "configs/session.yaml")
    assert config.issues_sessions
    assert all(address.is_loopback for port in config.ports for address in port.address)
    assert config.delivery == DeliveryConfig()  # what it explains is what who writes nothing gets
    assert config.listen[0].limits == ListenConfig(port=1, profile="session").limits


def test_the_example_for_bare_metal_has_two_cards() -> None:
    config = load_config(ROOT / "configs/bare-metal.yaml")
    assert [port.pci_address for port in config.ports] == ["0000:03:00.0", "0000:81:00.0"]
    assert config.eal.huge_pages is True
    assert config.listen[0].limits.source_pps > 0


@pytest.mark.parametrize("module", ["pyshim.errors", "pyshim.plan"])
def test_the_worker_process_does_not_pay_for_pydantic(module: str) -> None:
    code = f"import sys, {module}; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0
