"""Name the cell of a notebook that failed, from what jupyter or papermill printed.

References
----------
nbclient, ``CellExecutionError``; papermill, ``PapermillExecutionError``; nbformat 4, "Code cells".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ENDING: Final = ".ipynb"
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_OF_NBCLIENT: Final = re.compile(
    r"error occurred while executing the following cell:\n-{5,}\n(?P<source>.*?)\n-{5,}\n", re.S
)
_OF_PAPERMILL: Final = re.compile(r'Exception encountered at "In \[(\d+)\]"')
_NUMBER: Final = re.compile(r"^(?:Cell )?In ?\[(\d+)\]", re.M)
_LINE: Final = re.compile(r"^(?:Cell )?(?:In ?\[\d+\]|<ipython-input-\d+\S*>)\D*line (\d+)", re.M)
_CAUSE: Final = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b.*)$", re.M
)
_MAX_BYTES: Final = 64 * 1024 * 1024


def without_colours(text: str) -> str:
    """Take out what colours a terminal."""
    return _COLOURS.sub("", text)


def failed_cell(command: str, stderr: str, folder: Path) -> str | None:
    """Say which cell failed, ``cell 3 of train.ipynb, line 2: y = 1/0``; None where none did.

    Parameters
    ----------
    command : str
        That was run; it names the notebook.
    stderr : str
        What it printed.
    folder : Path
        Where it ran, and where the notebook lies.
    """
    said = without_colours(stderr)
    by_source, by_number = _OF_NBCLIENT.search(said), _OF_PAPERMILL.search(said)
    if by_source is None and by_number is None:
        return None
    counted = by_number or _NUMBER.search(said)
    for word in command.split():
        cells = _code_cells(folder / word) if word.endswith(ENDING) else []
        found = [
            number
            for number, source in enumerate(cells, 1)
            if by_source is None or source.strip() == by_source["source"].strip()
        ]
        # Two cells may have the same text: the kernel's count tells them apart.
        if counted is not None and int(counted[1]) in found:
            return _told(int(counted[1]), word, cells, said)
        if by_source is not None and found:
            return _told(found[0], word, cells, said)
    return None


def cause(stderr: str) -> str | None:
    """Give the last line that names an exception, as the notebook's own."""
    found = _CAUSE.findall(without_colours(stderr))
    return found[-1].strip() if found else None


def _told(number: int, notebook: str, cells: list[str], said: str) -> str:
    place = f"cell {number} of {notebook}"
    lines = cells[number - 1].splitlines()
    found = _LINE.search(said)
    if found is None or not 0 < int(found[1]) <= len(lines):
        return place
    return f"{place}, line {found[1]}: {lines[int(found[1]) - 1].strip()}"


def _code_cells(path: Path) -> list[str]:
    """Give the sources of a notebook's code cells that have any; ``In [1]`` is the first."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return []
        cells = json.loads(path.read_bytes())["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        texts = [one if isinstance(one, str) else "".join(one) for one in sources]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [text for text in texts if text.strip()]
