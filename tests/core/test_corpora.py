# SPDX-License-Identifier: BSD-3-Clause
"""The seeds of the fuzz targets: each target finds its own, and no seed lies there twice."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "dpdk_app" / "tests"
CORPUS = TESTS / "corpus"


def test_every_fuzz_target_has_seeds() -> None:
    targets = set(re.findall(r"^    '(fuzz_\w+)': \{", (TESTS / "meson.build").read_text(), re.MULTILINE))
    assert targets
    assert {target for target in targets if not any((CORPUS / target).iterdir())} == set()


def test_no_seed_lies_in_two_places() -> None:
    places: defaultdict[bytes, list[str]] = defaultdict(list)
    for folder in CORPUS.iterdir():
        if folder.is_symlink():
            continue
        for seed in folder.iterdir():
            places[seed.read_bytes()].append(f"{folder.name}/{seed.name}")
    assert [names for names in places.values() if len(names) > 1] == []
