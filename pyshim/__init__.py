# SPDX-License-Identifier: BSD-3-Clause
"""pollgate: a UDP game gateway on DPDK; this package is its control side, the data plane is C."""

__version__ = "0.1.0"
