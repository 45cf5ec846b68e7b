"""Read NumPy's own files: an array of objects in them is a pickle.

References
----------
``numpy/lib/format.py``, versions 1.0 to 3.0 of the format.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from samovar.model.source import Source, broken
from samovar.model.streams import read_streams

if TYPE_CHECKING:
    from samovar.core.allowlist import Policy
    from samovar.model.findings import Log
    from samovar.model.zip_members import Archive

MAGIC: Final = b"\x93NUMPY"
_HEADER_BYTES: Final = 1 << 16
_OBJECT: Final = re.compile(r"[<>=|]?O\d*|object")


def read_npy(source: Source, policy: Policy, log: Log) -> None:
    """Follow the pickle of an array of objects; other arrays hold no code."""
    magic = source.read(8)
    if not magic.startswith(MAGIC):
        raise broken("It is no NumPy array.")
    size = int.from_bytes(source.read(2 if magic[6] == 1 else 4), "little")
    if size > _HEADER_BYTES:
        raise broken(f"The array's header claims {size} bytes.")
    try:
        header = ast.literal_eval(source.read(size).decode("utf-8" if magic[6] > 2 else "latin-1"))
        description = header["descr"]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise broken("The array's header cannot be read.") from error
    if _has_objects(description, 0):
        read_streams(source, policy, log, plain=True)


def read_npz(archive: Archive, policy: Policy, log: Log) -> None:
    """Read every array of an ``.npz`` file."""
    for member in archive.members:
        with archive.open(member) as stream:
            source = Source(stream, None)
            if not stream.peek(6).startswith(MAGIC):
                log.add("", member.header_offset, f"the member {member.filename!r} is no array")
            else:
                read_npy(source, policy, log)


def _has_objects(description: object, nesting: int) -> bool:
    if nesting > 16:
        raise broken("The array's data type is nested too deeply.")
    if isinstance(description, str):
        return _OBJECT.fullmatch(description) is not None
    if isinstance(description, (list, tuple)):
        return any(_has_objects(part, nesting + 1) for part in description)
    return False
