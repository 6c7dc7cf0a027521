# SPDX-License-Identifier: BSD-3-Clause
"""The pure core for tests: a library that has the product's types and functions, too."""

from typing import Any

import _pollgate_test

ffi: Any = _pollgate_test.ffi  # what it declares is the compiler's to check
lib: Any = _pollgate_test.lib
