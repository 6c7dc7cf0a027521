# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the supervisor, the worker process and what is between them."""
