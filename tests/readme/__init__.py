# SPDX-License-Identifier: BSD-3-Clause
"""README.md, tried out as a newcomer would."""
