# SPDX-License-Identifier: BSD-3-Clause
"""`python -m pyshim` is the command `pollgate`."""

import sys

from pyshim.entry import main

if __name__ == "__main__":
    sys.exit(main())
