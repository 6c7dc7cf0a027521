# SPDX-License-Identifier: BSD-3-Clause
"""The JSON Schema of a configuration, for editors; `python -m pyshim.config.schema` writes it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pyshim.config.models import export_schema

SCHEMA_FILE = Path("configs/pollgate.schema.json")  # in the repository


def schema_text() -> str:
    """The schema file's text."""
    return json.dumps(export_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the schema file, or with --check tell whether it is current. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pyshim.config.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")
    parser.add_argument("file", nargs="?", type=Path, default=SCHEMA_FILE, help="default: %(default)s")
    options = parser.parse_args(arguments)
    text = schema_text()
    file: Path = options.file
    if not options.check:
        file.write_text(text, encoding="utf-8")
        return 0
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return 0
    print(f"{file}: not current; run: python -m pyshim.config.schema", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
