# SPDX-License-Identifier: BSD-3-Clause
"""The control API and `pollgate token`."""
