# SPDX-License-Identifier: BSD-3-Clause
"""Turn netcode_vectors.json into C for the netcode tests: python3 netcode_vectors_header.py IN.json OUT.h."""

from __future__ import annotations

import json
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

KINDS = ["request", "denied", "challenge", "response", "keep_alive", "payload", "disconnect"]
NUMBERS = {"client_id", "protocol_id", "created_s", "expires_s", "timeout_s", "sequence"}


def _server(text: str) -> str:
    """`address:port` as a struct pg_netcode_server."""
    host, _, port = text.rpartition(":")
    address = ip_address(host.strip("[]"))
    return f"{{{address.version}, {{{', '.join(map(str, address.packed))}}}, {port}}}"


def _literal(name: str, value: Any) -> str:
    if name == "kind":
        return str(KINDS.index(value))
    if name == "servers":
        return f"{{{', '.join(map(_server, value))}}}, .server_count = {len(value)}"
    if name in NUMBERS:
        return f"{value}{'' if str(value).startswith('-') else 'U'}"
    data = bytes.fromhex(value)
    return f"{{(const uint8_t[]){{{', '.join(map(str, data)) or '0'}}}, {len(data)}}}"


def _type(name: str) -> str:
    if name == "servers":
        return "struct pg_netcode_server servers[32]; uint32_t server_count;"
    if name == "kind":
        return "unsigned kind;"
    if name in NUMBERS:
        return f"{'int32_t' if name == 'timeout_s' else 'uint64_t'} {name};"
    return f"struct vector_bytes {name};"


def _section(name: str, vectors: list[dict[str, Any]]) -> str:
    members = " ".join(map(_type, vectors[0]))
    rows = "\n".join(
        "\t{" + ", ".join(f".{field} = {_literal(field, value)}" for field, value in vector.items()) + "},"
        for vector in vectors
    )
    return f"static const struct {{ {members} }} vector_{name}[] = {{\n{rows}\n}};\n"


def main(source: str, target: str) -> None:
    """Write the header."""
    document = json.loads(Path(source).read_text(encoding="utf-8"))
    sections = "\n".join(_section(name, document[name]) for name in ("tokens", "packets", "challenges"))
    types = "struct vector_bytes { const uint8_t *at; size_t n; };\n"
    Path(target).write_text(
        f"// Made of {Path(source).name} by netcode_vectors_header.py.\n{types}\n{sections}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
