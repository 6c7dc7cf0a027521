# SPDX-License-Identifier: BSD-3-Clause
"""A whole configuration file in, a `Config` or exact sentences with lines out."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyshim.config import Config, Endpoint, load_config
from pyshim.config.values import quoted
from pyshim.errors import ConfigError, ExitCode
from tests.config.written import errors, load

PORTS = """\
ports:
  - name: game0
    device: net_null0
    address: [10.0.0.1/24]
"""  # four lines: what a test adds starts on line 5


def outcome(text: str) -> Config | ConfigError:
    try:
        return load(text)
    except ConfigError as error:
        return error


def port(key_and_value: str) -> list[str]:
    """Errors of a port with `key_and_value` on line 3, which may stand for one of the required keys."""
    required = ["name: game0", "device: net_null0", "address: [10.0.0.1/24]"]
    key = key_and_value.partition(":")[0]
    lines = [key_and_value, *(line for line in required if not line.startswith(f"{key}:"))]
    return errors("ports:\n  -\n" + "".join(f"    {line}\n" for line in lines))


def test_the_shortest_file_gets_every_default() -> None:
    config = load(PORTS)
    assert [listener.port for listener in config.listen] == [8080]
    assert config.ports[0].queues == "auto"
    assert config.ports[0].mac is None
    assert config.workers.cpus == "auto"
    assert config.eal.huge_pages is False
    assert config.sessions.capacity == 65_536
    assert config.metrics.listen == Endpoint("127.0.0.1", 9464)
    assert config.log.level == "info"


def test_defaults_survive_a_round_trip() -> None:
    config = load(PORTS)
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert isinstance(config.workers.stall_timeout_s, float)


def test_the_example_of_the_design_is_valid() -> None:
    config = load("""\
eal:
  huge_pages: false            # true | false | auto
  memory_mib: 512
  file_prefix: pollgate
ports:
  - name: game0
    device: net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap    # DPDK vdev arguments, or a PCI address
    address: [10.0.0.1/24, fd00::1/64]
    mac: "02:00:00:00:00:02"   # default: the device's own
    queues: auto
workers:
  cpus: auto                   # or a list: [1, 2]
listen:
  - port: 8080                 # one profile per UDP port
    profile: plain
    admission: open
    limits: {source_pps: 0, source_burst: 64}
sessions: {capacity: 65536, idle_timeout_s: 30}
metrics: {listen: "127.0.0.1:9464"}   # port 0: any free one, printed at start
""")
    game = config.ports[0]
    assert not game.is_pci
    assert game.device.partition(",")[0] == "net_pcap0"
    assert [str(address) for address in game.address] == ["10.0.0.1/24", "fd00::1/64"]


def test_unquoted_pci_and_mac_addresses_are_text() -> None:
    config = load("""\
ports:
  - {name: a, device: 0000:03:00.0, address: [10.0.0.1/24], mac: 52:54:00:12:34:56}
  - {name: b, device: 0A:00.1, address: [10.0.1.1/24]}
""")
    assert [p.pci_address for p in config.ports] == ["0000:03:00.0", "0000:0a:00.1"]
    assert config.ports[0].mac == "52:54:00:12:34:56"


def test_every_error_is_reported_at_once_in_the_order_of_lines() -> None:
    found = errors(
        """\
eal: {huge_pages: on, memory_mib: 010}
ports:
  - name: game0
    adress: [10.0.0.1/24]
    device: net_null0
    queues: 0
  - name: game0
    device: net_null0,copy=1
    address: [10.0.0.0/24, 10.0.0.1]
    rx_descriptors: 63
    checksums: sofware
workers: {cpus: [0, x, 0, true]}
sessions: {capacity: 1e6}
""",
    )
    assert found == [
        'gate.yaml:1: eal.memory_mib: found 010, a number with a leading zero; write 10, or "010" if text is meant',
        'gate.yaml:1: eal.huge_pages: found "on", allowed: true or false or auto; write true, YAML 1.2 has no "on"',
        'gate.yaml:4: ports[0].adress: unknown key; did you mean "address"?',
        "gate.yaml:6: ports[0].queues: found 0, allowed: a whole number from 1 to 64 or auto",
        "gate.yaml:7: ports[1].name: name game0 is taken already by ports[0].name on line 3; give each port its own",
        "gate.yaml:8: ports[1].device: device net_null0 is taken already by ports[0].device on line 5; "
        "a device can be only one port",
        'gate.yaml:9: ports[1].address[0]: found "10.0.0.0/24", the network address of 10.0.0.0/24; '
        "use a host address inside it",
        'gate.yaml:9: ports[1].address[1]: found "10.0.0.1", which has no prefix length; '
        "write for example 10.0.0.1/24",
        "gate.yaml:10: ports[1].rx_descriptors: found 63, allowed: a whole number from 64 to 8192",
        'gate.yaml:11: ports[1].checksums: found "sofware", allowed: auto or software; did you mean "software"?',
        "gate.yaml:12: workers.cpus[2]: CPU 0 is taken already by workers.cpus[0] on line 12; name each CPU once",
        'gate.yaml:12: workers.cpus[1]: found "x", allowed: a whole number from 0 to 1023',
        "gate.yaml:12: workers.cpus[3]: found true, allowed: a whole number from 0 to 1023",
        "gate.yaml:13: sessions.capacity: found 1e6, allowed: a whole number from 1 to 16777216; write 1000000",
    ]


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("lisen: []", 'lisen: unknown key; did you mean "listen"?'),
        ("x: 1", "x: unknown key; allowed: engine, eal, sockets, ports, workers, listen, sessions, delivery, netcode, game, worlds, record, control, host, metrics, log"),
        ('"a b": 1', '"a b": unknown key; allowed: engine, eal, sockets, ports, workers, listen, sessions, delivery, netcode, game, worlds, record, control, host, metrics, log'),
        ("log:", "log: found nothing, allowed: a mapping with the keys level"),
        ("log: {level: warn}", 'log.level: found "warn", allowed: debug, info, warning or error; '
         'did you mean "warning"?'),
        ("listen: []", "listen: found an empty list, allowed: a list of 1 to 16 entries"),
        ("listen: 8080", "listen: found 8080, allowed: a list of 1 to 16 entries"),
        ('listen: [{port: "80"}]', 'listen[0].port: found "80", allowed: a whole number from 1 to 65535; '
         "write it without quotes"),
        ("listen: [{port: true}]", "listen[0].port: found true, allowed: a whole number from 1 to 65535"),
        ("listen: [{port: 0}]", "listen[0].port: found 0, allowed: a whole number from 1 to 65535"),
        ("listen: [{port: 65536}]", "listen[0].port: found 65536, allowed: a whole number from 1 to 65535"),
        ("listen: [{}]", "listen[0].port: missing; write a whole number from 1 to 65535"),
        ("listen: [{port: 1}, {port: 1}]", "listen[1].port: UDP port 1 is taken already by listen[0].port "
         "on line 5; one profile per UDP port"),
        ("listen: [{port: 1, profile: sesion}]", 'listen[0].profile: found "sesion", allowed: plain, session or netcode; '
         'did you mean "session"?'),
        ("listen: [{port: 1, limits: {source_burst: 0}}]", "listen[0].limits.source_burst: found 0, allowed: "
         "a whole number from 1 to 1000000"),
        ("listen: [{port: 1, limits: {source_pps: -1}}]", "listen[0].limits.source_pps: found -1, allowed: "
         "a whole number from 0 to 10000000"),
        ("sessions: {idle_timeout_s: .inf}", "sessions.idle_timeout_s: found .inf, allowed: "
         "a number from 0.1 to 86400"),
        ("sessions: {idle_timeout_s: .nan}", "sessions.idle_timeout_s: found .nan, allowed: "
         "a number from 0.1 to 86400"),
        ("sessions: {idle_timeout_s: 0}", "sessions.idle_timeout_s: found 0, allowed: a number from 0.1 to 86400"),
        ("sessions: {capacity: 0x1000001}", "sessions.capacity: found 0x1000001, allowed: "
         "a whole number from 1 to 16777216"),
        ("workers: {cpus: 1}", "workers.cpus: found 1, allowed: a list of 1 to 32 entries or auto"),
        ("workers: {cpus: {auto: 1}}", "workers.cpus: found a mapping, allowed: a list of 1 to 32 entries or auto"),
        ("workers: {cpus: atuo}", 'workers.cpus: found "atuo", allowed: a list of 1 to 32 entries or auto; '
         'did you mean "auto"?'),
        ("workers: {isa: v5}", 'workers.isa: found "v5", allowed: auto, v2, v3 or v4'),
        ("eal: {file_prefix: a/b}", 'eal.file_prefix: found "a/b", allowed: 1 to 32 letters, digits, '
         "'.', '-' and '_', starting with a letter or digit"),
        ("eal: {in_memory: no}", 'eal.in_memory: found "no", allowed: true or false; '
         'write false, YAML 1.2 has no "no"'),
        ("metrics: {listen: 9464}", "metrics.listen: found 9464, allowed: host:port such as 127.0.0.1:9464 or null"),
        ("<<: {a: 1}", "merge keys (<<) are not supported; write the keys out"),
        ("log: !!python/object:os.system {}", "log: found a YAML tag (!...); tags are not supported, remove it"),
        ("log: *nowhere", "log: alias *nowhere has no anchor &nowhere before it"),
    ],
)  # fmt: skip
def test_a_wrong_value_gets_one_sentence(addition: str, sentence: str) -> None:
    assert errors(PORTS + addition + "\n") == [f"gate.yaml:5: {sentence}"]


@pytest.mark.parametrize(
    ("key_and_value", "sentence"),
    [
        ("name: Game", 'name: found "Game", allowed: 1 to 31 of a-z, 0-9, - and _, the first a letter, such as game0'),
        ("device: 3", "device: found 3, allowed: a PCI address such as 03:00.0, "
         "or a virtual device such as net_pcap0,rx_pcap=in.pcap"),
        ("address: 10.0.0.1/24", 'address: found "10.0.0.1/24", allowed: a list of 1 to 8 entries'),
        ("address: [7]", "address[0]: found 7, allowed: an address with prefix such as 10.0.0.1/24 or fd00::1/64"),
        ("address: [10.0.0.1/24, 10.0.0.1/8]", "address[1]: address 10.0.0.1 is taken already by "
         "ports[0].address[0] on line 3; an address belongs to one port, once"),
        ("mac: 01:00:5e:00:00:01", 'mac: found "01:00:5e:00:00:01", a multicast address; '
         "a port needs a unicast one: make the first byte even"),
        ("promiscuous: 1", "promiscuous: found 1, allowed: true or false"),
    ],
)  # fmt: skip
def test_a_wrong_port_gets_one_sentence(key_and_value: str, sentence: str) -> None:
    assert port(key_and_value) == [f"gate.yaml:3: ports[0].{sentence}"]


def test_a_missing_key_is_named_with_what_to_write() -> None:
    assert errors("ports:\n  - name: a\n    device: net_null0\n") == [
        "gate.yaml:2: ports[0].address: missing; write a list of 1 to 8 entries"
    ]
    assert errors("log: {level: info}\n") == ["gate.yaml:1: ports: missing; write a list of 1 to 8 entries"]


def test_a_ninth_port_is_refused() -> None:
    entries = [f"  - {{name: p{n}, device: net_null{n}, address: [10.0.{n}.1/24]}}\n" for n in range(9)]
    load("ports:\n" + "".join(entries[:8]))
    assert errors("ports:\n" + "".join(entries)) == [
        "gate.yaml:1: ports: found a list of 9 entries, allowed: a list of 1 to 8 entries"
    ]


def test_a_duplicate_key_names_both_lines() -> None:
    assert errors(PORTS + "log: {level: info}\n\nlog: {level: debug}\n") == [
        "gate.yaml:7: log: key given twice, first on line 5; keep one"
    ]


def test_a_comma_in_a_flow_mapping_suggests_quotes() -> None:
    text = "ports: [{name: a, device: net_pcap0,rx_pcap=in.pcap, address: [10.0.0.1/24]}]\n"
    assert errors(text) == [
        'gate.yaml:1: ports[0]."rx_pcap=in.pcap": unknown key; quote a value that contains commas'
    ]


def test_the_same_card_in_two_spellings_is_a_clash() -> None:
    text = """\
ports:
  - {name: a, device: 03:00.0, address: [10.0.0.1/24]}
  - {name: b, device: 0000:03:00.0, address: [10.0.1.1/24]}
"""
    assert errors(text) == [
        "gate.yaml:3: ports[1].device: device 0000:03:00.0 is taken already by ports[0].device on line 2; "
        "a device can be only one port"
    ]


def test_a_clash_is_refused_in_a_configuration_made_in_code() -> None:
    data = load(PORTS).model_dump(mode="json")
    data["listen"] = [{"port": 1}, {"port": 1}]
    with pytest.raises(ValueError, match="UDP port 1 is taken already"):
        Config.model_validate(data)


def test_values_are_immutable() -> None:
    config = load(PORTS)
    with pytest.raises(ValueError, match="frozen"):
        config.log.level = "debug"


def test_an_alias_repeats_a_value() -> None:
    config = load(PORTS + "listen:\n  - {port: 1, limits: &l {source_pps: 5}}\n  - {port: 2, limits: *l}\n")
    assert [listener.limits.source_pps for listener in config.listen] == [5, 5]


def test_no_metrics_is_null() -> None:
    assert load(PORTS + "metrics: {listen: null}\n").metrics.listen is None


def test_a_byte_order_mark_is_not_text() -> None:
    assert load("\ufeff" + PORTS).ports[0].name == "game0"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "gate.yaml:1: the file is empty; it must at least have the key ports"),
        (b"# only a comment\n", "gate.yaml:1: the file is empty; it must at least have the key ports"),
        (b"a: 1\nb: \xff\n", "gate.yaml:2: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b" " * (1 << 20) + b"\n", "gate.yaml:1: the file is larger than 1048576 bytes; is it a configuration?"),
        (b"- 1\n", "gate.yaml:1: found a list of 1 entry, allowed: a mapping with the keys engine, eal, sockets, "
         "ports, workers, listen, sessions, delivery, netcode, game, worlds, record, control, host, metrics, log"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused(data: bytes, sentence: str) -> None:
    file = Path("gate.yaml")
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.problems == (sentence,)
    assert caught.value.exit_code == ExitCode.CONFIG


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load_config(file)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


LINE = re.compile(r"^gate\.yaml:\d+: [^\n]+$")
WORDS = ["ports", "name", "device", "address", "mac", "workers", "cpus", "listen", "limits", "metrics", "eal",
         "sessions", "capacity", "idle_timeout_s", "literal['auto']", "huge_pages"]  # fmt: skip
SCALARS = (
    st.sampled_from(["auto", "true", "on", "010", "1e6", "0000:03:00.0", "net_null0", "10.0.0.1/24", "~", ".inf",
                     "&a", "*a", "!!str", "<<", '"\\uD800"', '"\\UFFFFFFFF"', "-", "9" * 5000, "127.0.0.1:0"])
    | st.integers().map(str)
    | st.text(max_size=8).map(quoted)
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(st.sampled_from(WORDS) | SCALARS, inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]))
    | TREES
    | TREES.map(lambda tree: PORTS + f"eal: {tree}")
)
def test_any_text_is_a_configuration_or_lines_that_say_why_not(text: str) -> None:
    result = outcome(text)
    if isinstance(result, ConfigError):
        assert result.problems
        assert all(LINE.match(problem) for problem in result.problems)
        assert len(str(result).splitlines()) == len(result.problems) + 1
        str(result).encode("utf-8")
