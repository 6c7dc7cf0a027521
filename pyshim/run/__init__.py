# SPDX-License-Identifier: BSD-3-Clause
"""The life of a gateway: the supervisor, the worker processes it starts, what goes wrong with either."""
