# SPDX-License-Identifier: BSD-3-Clause
"""Players for tests, benchmarks and capacity planning: `pollgate load` and what it is made of."""
