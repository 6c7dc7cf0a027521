# SPDX-License-Identifier: BSD-3-Clause
"""The supervisor's side of the game bus: who attaches under which name, and the memory between them."""
