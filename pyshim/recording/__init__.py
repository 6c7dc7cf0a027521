# SPDX-License-Identifier: BSD-3-Clause
"""What became of the worlds: kept while the gateway runs, written to files, and done again."""
