# SPDX-License-Identifier: BSD-3-Clause
"""The Python client of the `session` profile."""
