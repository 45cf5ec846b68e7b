"""samovar's own wheel, made from the files that are running, for hosts that do not have it.

References
----------
Python packaging, "Binary distribution format" (the wheel specification).
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Final

import samovar

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_SOURCE: Final = Path(samovar.__file__).parent
_METADATA: Final = """\
Metadata-Version: 2.1
Name: samovar
Version: {version}
Requires-Python: >=3.10
"""
_WHEEL: Final = """\
Wheel-Version: 1.0
Generator: samovar
Root-Is-Purelib: true
Tag: py3-none-any
"""
_ENTRY_POINTS: Final = "[console_scripts]\nsamovar = samovar.cli.main:main\n"


def wheel_name() -> str:
    """Give the file name of this version's wheel."""
    return f"samovar-{samovar.__version__}-py3-none-any.whl"


def write_wheel(path: Path) -> Path:
    """Write the wheel; the same source gives the same bytes."""
    information = f"samovar-{samovar.__version__}.dist-info"
    members = {
        f"samovar/{file.relative_to(_SOURCE).as_posix()}": file.read_bytes()
        for file in sorted(_SOURCE.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    members[f"{information}/METADATA"] = _METADATA.format(version=samovar.__version__).encode()
    members[f"{information}/WHEEL"] = _WHEEL.encode()
    members[f"{information}/entry_points.txt"] = _ENTRY_POINTS.encode()
    record = f"{information}/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in members.items()]
    members[record] = ("".join(lines) + f"{record},,\n").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
