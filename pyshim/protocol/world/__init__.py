# SPDX-License-Identifier: BSD-3-Clause
"""The receiving end of WORLD_STATE: who is in sight, and where. Values in, values out."""
