# SPDX-License-Identifier: BSD-3-Clause
"""The worker process under its former name, for supervisors that run on after an upgrade.

Such a one starts `python -m pyshim.worker` when its worker process has ended. It gets a process of this
version, which says in a sentence what does not fit, and not that there is no such module.
"""

from __future__ import annotations

from pyshim.run.worker import main

if __name__ == "__main__":
    main()
