"""Take the Python out of a Jupyter notebook.

References
----------
The Jupyter notebook format (nbformat 4), "Code cells".
"""

from __future__ import annotations

import json
import re
from typing import Final

from samovar.project.syntax import UnreadableSourceError

_IPYTHON: Final = re.compile(r"^(\s*)[%!?].*$")


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
        lines += [_IPYTHON.sub(r"\1pass", line) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "replace")
