# SPDX-License-Identifier: BSD-3-Clause
"""The container image, built for real and run for real."""
