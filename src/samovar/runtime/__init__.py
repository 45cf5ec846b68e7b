"""The only code that runs inside a model's environment: verbs on a bundle, and the server.

It imports the standard library, ``samovar.errors``, ``samovar.core`` and its own few pinned
packages (requirements.in), and NumPy and pandas late, where the model brings them. Nobody imports
it: it is started as a program (docs/decisions/0001-rooms.md, 0005-server.md).
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""Of samovar; the copy in a runtime's folder has no metadata to ask."""
