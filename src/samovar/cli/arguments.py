"""Arguments that several commands take, worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

FOLDER: Final = click.argument(
    "folder",
    metavar="[DIR]",
    required=False,
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
)
"""The project's folder; by default the current one."""
