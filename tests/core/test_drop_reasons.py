# SPDX-License-Identifier: BSD-3-Clause
"""Every drop reason is explained where a reader of the data plane looks for it, in the list's words."""

from __future__ import annotations

from pyshim._native._pollgate import ffi, lib
from tests.metrics.document import REASONS, REASONS_HEAD, reasons, table


def test_the_table_of_drop_reasons_has_exactly_the_labels_of_the_metric_in_their_order() -> None:
    labels = [ffi.string(lib.pg_drop_name(drop)).decode() for drop in range(1, lib.PG_DROPS)]

    assert [row.split("`")[1] for row in table(REASONS.read_text(), REASONS_HEAD)] == labels


def test_the_table_of_drop_reasons_says_what_the_list_does() -> None:
    assert table(REASONS.read_text(), REASONS_HEAD) == reasons(), "python -m tests.metrics.document writes it"
