# SPDX-License-Identifier: BSD-3-Clause
"""Turn session_vectors.json into C for test_vectors.c: python3 vectors_header.py IN.json OUT.h."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SECTIONS = {
    "exchange": {
        "client_secret": "bytes",
        "server_secret": "bytes",
        "client_share": "bytes",
        "server_share": "bytes",
        "agreed": "bytes",
    },
    "derive": {
        "session": "number",
        "key": "bytes",
        "agreed": "bytes",
        "client_nonce": "bytes",
        "server_nonce": "bytes",
        "client_share": "bytes",
        "server_share": "bytes",
        "secret": "bytes",
        "next_secret": "bytes",
        "client_key": "bytes",
        "client_salt": "bytes",
        "gateway_key": "bytes",
        "gateway_salt": "bytes",
    },
    "replay": {"name": "text", "steps": "steps"},
    "datagrams": {
        "name": "text",
        "from_client": "flag",
        "session": "number",
        "counter": "number",
        "clear_bytes": "number",
        "key": "bytes",
        "salt": "bytes",
        "proof_key": "bytes",
        "secret": "bytes",
        "datagram": "bytes",
    },
    "numbers": {
        "name": "text",
        "session": "number",
        "spare": "number",
        "offset": "number",
        "counter": "number",
        "key": "bytes",
        "salt": "bytes",
        "secret": "bytes",
        "datagram": "bytes",
    },
    "data": {"name": "text", "secret": "bytes", "fate": "text"},
}
TYPES = {
    "number": "uint64_t {}",
    "flag": "bool {}",
    "text": "const char *{}",
    "bytes": "struct vector_bytes {}",
    "steps": "struct vector_steps {}",
}


def literal(kind: str, value: Any) -> str:
    """A value as a C initialiser."""
    if kind == "bytes":
        data = bytes.fromhex(value)
        return f"{{(const uint8_t[]){{{', '.join(map(str, data)) or '0'}}}, {len(data)}}}"
    if kind == "steps":
        steps = ", ".join(f"{{{step['counter']}U, {str(step['fresh']).lower()}}}" for step in value)
        return f"{{(const struct vector_step[]){{{steps}}}, {len(value)}}}"
    if kind == "text":
        return json.dumps(value)
    return str(value).lower() if kind == "flag" else f"{value}U"


def section(name: str, vectors: list[dict[str, Any]]) -> str:
    """The vectors of one section as an array of structures."""
    fields = SECTIONS[name]
    members = " ".join(f"{TYPES[kind].format(field)};" for field, kind in fields.items())
    rows = "\n".join(
        "\t{"
        + ", ".join(f".{field} = {literal(kind, vector[field])}" for field, kind in fields.items())
        + "},"
        for vector in vectors
    )
    return f"static const struct {{ {members} }} vector_{name}[] = {{\n{rows}\n}};\n"


def main(source: str, target: str) -> None:
    """Write the header."""
    document = json.loads(Path(source).read_text(encoding="utf-8"))
    types = (
        "struct vector_bytes { const uint8_t *at; size_t n; };\n"
        "struct vector_step { uint32_t counter; bool fresh; };\n"
        "struct vector_steps { const struct vector_step *at; size_t n; };\n"
    )
    sections = "\n".join(section(name, document[name]) for name in SECTIONS)
    Path(target).write_text(f"// Made of {Path(source).name} by vectors_header.py.\n{types}\n{sections}")


if __name__ == "__main__":
    main(*sys.argv[1:])
