"""Start the runtime beside an environment's own packages.

This file is copied to ``boot/boot.py`` in the runtime's folder and run as a program, so it stands
on the standard library alone. It appends the runtime's folder **after** the environment's packages
and makes sure that ``samovar`` is the copy in that folder, whatever the environment holds under
that name (docs/decisions/0001-rooms.md).
"""

from __future__ import annotations

import os
import sys
import types


def arrange(boot_file: str) -> None:
    """Put the runtime's folder last on ``sys.path`` and claim the name ``samovar`` for it.

    Parameters
    ----------
    boot_file : str
        Path of this file in ``RUNTIME/boot/``.
    """
    own = os.path.dirname(os.path.abspath(boot_file))  # noqa: PTH100, PTH120 - before any import
    root = os.path.dirname(own)  # noqa: PTH120 - see above
    sys.path[:] = [
        entry
        for entry in sys.path
        if os.path.abspath(entry) not in {own, root}  # noqa: PTH100 - see above
    ]
    sys.path.append(root)
    package = types.ModuleType("samovar")
    package.__path__ = [os.path.join(root, "samovar")]  # noqa: PTH118 - see above
    sys.modules["samovar"] = package


if __name__ == "__main__":
    arrange(__file__)
    from samovar.runtime.main import main

    sys.exit(main(sys.argv[1]))
