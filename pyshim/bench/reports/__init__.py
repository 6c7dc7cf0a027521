# SPDX-License-Identifier: BSD-3-Clause
"""What benchmarks found, for people and machines: rows, tables, plots, and verdicts on claims."""
