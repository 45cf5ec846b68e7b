"""Take the Python out of a Jupyter notebook.

References
----------
The Jupyter notebook format (nbformat 4), "Code cells".
"""

from __future__ import annotations

import json

from samovar.project.syntax import UnreadableSourceError


def code_of(data: bytes) -> bytes:
    """Give the code of a notebook's cells, without the lines that only IPython understands.

    Raises
    ------
    UnreadableSourceError
        Where it is no notebook.
    """
    try:
        cells = json.loads(data)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        texts = [source if isinstance(source, str) else "".join(source) for source in sources]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableSourceError("it is no notebook") from error
    lines = []
    for text in texts:
        if text.lstrip().startswith("%%"):
            continue
        lines += ["pass" if line.lstrip()[:1] in {"%", "!", "?"} else line
                  for line in text.split("\n")]  # fmt: skip
    return "\n".join(lines).encode("utf-8", "replace")
