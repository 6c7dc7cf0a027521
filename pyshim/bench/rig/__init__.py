# SPDX-License-Identifier: BSD-3-Clause
"""What benchmarks are built of: gateways, opponents and generators that run, and the links between them."""
