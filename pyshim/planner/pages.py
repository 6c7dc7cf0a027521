# SPDX-License-Identifier: BSD-3-Clause
"""Whether DPDK's memory and the session state are in huge pages or in ordinary ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import HostFacts, HugePages

if TYPE_CHECKING:
    from pyshim.config.models import Config

_MIB = 1 << 20
STATE_PAGE_BYTES = 2 * _MIB  # the only size that the session state takes: pyshim/system/memory_file.py


@dataclass(frozen=True, slots=True)
class PageChoice:
    """Which memory is in huge pages."""

    dpdk: bool
    state: bool  # the session state
    notes: tuple[str, ...] = ()


def choose_pages(
    config: Config, host: HostFacts, share: Mapping[int, int], state_bytes: int, problems: list[Problem]
) -> PageChoice:
    """Decide for DPDK's MiB per node and for the session state; errors are appended to `problems`.

    The session state takes its pages before DPDK does, so it may only take pages that DPDK does not need.
    """
    if config.eal.huge_pages is False:
        return PageChoice(False, False)
    huge, state_pages = host.memory.huge, -(-state_bytes // STATE_PAGE_BYTES)
    missing = list(_missing(config, host, share, state_pages))
    if missing and config.eal.huge_pages == "auto":
        return PageChoice(False, False, (f"Ordinary pages are used: {missing[0]}.",))
    problems.extend(
        Problem("eal.huge_pages", f"{text}, or set huge_pages: false", ExitCode.UNAVAILABLE)
        for text in missing
    )
    left = sum(_left(huge, node, share.get(node, 0)) for node in {pages.node for pages in huge})
    if missing or left >= state_pages:
        return PageChoice(True, True)
    return PageChoice(True, False, (_state_note(huge, share, state_pages, left),))


def too_few_huge_pages(
    huge: Sequence[HugePages], need_mib: Mapping[int, int], state_pages: int = 0
) -> Iterable[str]:
    """The nodes with too few free huge pages for the MiB needed there, each with the command that adds them.

    The first command also reserves `state_pages` for the session state, which may be on any node.
    """
    for node, mib in need_mib.items():
        sizes = [pages for pages in huge if pages.node == node]
        if not sizes:
            yield f"node {node} has no huge pages and this kernel offers none there"
            continue
        if sum(pages.free * pages.page_bytes for pages in sizes) >= mib * _MIB:
            continue
        state = f" and {state_pages * STATE_PAGE_BYTES // _MIB} for the session state" if state_pages else ""
        free = " and ".join(f"{pages.free} free {_size(pages.page_bytes)} pages" for pages in sizes)
        command = _reserve(huge, node, mib, state_pages)
        yield f"node {node} has {free}, {mib} MiB needed{state}; run: {command}"
        state_pages = 0


def _missing(config: Config, host: HostFacts, share: Mapping[int, int], state_pages: int) -> Iterable[str]:
    """Why DPDK cannot have huge pages: each reason with the command that removes it."""
    yield from too_few_huge_pages(host.memory.huge, share, state_pages)
    if not config.eal.in_memory and not host.memory.hugetlbfs:
        yield (
            "no hugetlbfs is mounted, which in_memory: false needs; run: "
            "mount -t hugetlbfs nodev /dev/hugepages, or set in_memory: true"
        )


def _state_note(huge: Sequence[HugePages], share: Mapping[int, int], state_pages: int, left: int) -> str:
    node = min(share)
    return (
        f"The session state is in ordinary pages: it would fill {state_pages} huge pages of 2 MB, and DPDK "
        f"leaves {left}; for all of it run: {_reserve(huge, node, share[node], state_pages)}."
    )


def _reserve(huge: Sequence[HugePages], node: int, mib: int, state_pages: int) -> str:
    """The command after which a node has so many MiB and `state_pages` free, in addition to pages in use."""
    small = min((pages for pages in huge if pages.node == node), key=lambda pages: pages.page_bytes)
    wanted = small.total - small.free
    wanted += -(-mib * _MIB // small.page_bytes)
    wanted += -(-state_pages * STATE_PAGE_BYTES // small.page_bytes)
    if len({pages.node for pages in huge}) > 1:
        return (
            f"echo {wanted} > /sys/devices/system/node/node{node}/hugepages/"
            f"hugepages-{small.page_bytes // 1024}kB/nr_hugepages"
        )
    return f"sysctl -w vm.nr_hugepages={wanted}"


def _left(huge: Sequence[HugePages], node: int, mib: int) -> int:
    """Pages of the state's size that DPDK leaves on a node; it takes larger ones first."""
    rest_bytes, left = mib * _MIB, 0
    for pages in sorted(
        (pages for pages in huge if pages.node == node), key=lambda pages: pages.page_bytes, reverse=True
    ):
        taken = min(pages.free, rest_bytes // pages.page_bytes)
        rest_bytes -= taken * pages.page_bytes
        if pages.page_bytes == STATE_PAGE_BYTES:
            left = pages.free - taken
    return left


def _size(size_bytes: int) -> str:
    return f"{size_bytes >> 30} GB" if size_bytes >= 1 << 30 else f"{size_bytes >> 20} MB"
