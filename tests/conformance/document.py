# SPDX-License-Identifier: BSD-3-Clause
"""The tables of the kit's README.md: `python -m tests.conformance.document` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from pyshim.conformance import client_run, gateway_run, report
from pyshim.conformance.as_gateway import HANDSHAKE
from pyshim.conformance.watch import EVERY_DATAGRAM

README = Path(__file__).resolve().parents[2] / "pyshim" / "conformance" / "README.md"


def _block(text: str, name: str, lines: list[str]) -> str:
    found = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    assert len(found.findall(text)) == 1, name
    return found.sub(lambda match: match[1] + "".join(f"{line}\n" for line in lines) + match[2], text)


def with_tables(text: str) -> str:
    """The document with what the sources say."""
    every = ["| check | section | what is expected |", "|---|---|---|"]
    for check in EVERY_DATAGRAM:
        every.append(f"| `{check.id}` | {check.section} | {check.expected} |")
    for check in HANDSHAKE:
        every.append(f"| `{check.id}` | {check.section} | {check.expected} (of a client) |")
    text = _block(text, "every", every)
    text = _block(text, "client", report.as_table(client_run.SCENARIOS).splitlines())
    return _block(text, "gateway", report.as_table(gateway_run.SCENARIOS).splitlines())


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
