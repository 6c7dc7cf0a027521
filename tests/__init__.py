# SPDX-License-Identifier: BSD-3-Clause
"""Tests of pollgate; the modules beside this file are tools that several of them share."""
