"""Converters for ``export``: folders of hashed packages that stand beside a model's own.

They are put behind the environment's packages on ``sys.path``, as the runtime is, so that a model
is converted by the very library that it was trained with (docs/decisions/0012-formats.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import samovar
from samovar.core.digest import Digest
from samovar.env.runtime_folder import install_beside, kept_folder, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.env.interpreters import Interpreter

    Progress = Callable[[str], None]

_REQUIREMENTS: Final = Path(samovar.__file__).parent / "env" / "converters"


def converter_folder(
    home: Path, target: str, interpreter: Interpreter, *, offline: bool, progress: Progress
) -> Path:
    """Give the folder of the packages that write and read a format, made where it is missing.

    Parameters
    ----------
    home : Path
        Where such folders are kept.
    target : str
        ``onnx``, ``skops`` or ``pmml``.
    interpreter : Interpreter
        That will import them.
    offline : bool
        Open no connection.
    progress : callable
        Is told what is going on.

    Raises
    ------
    Unavailable
        Where a package cannot be had for this interpreter.
    """
    requirements = _REQUIREMENTS / f"{target}.txt"

    def fill(folder: Path) -> None:
        progress(f"Fetching the converter to {target}")
        install_beside(folder, interpreter, requirements, offline=offline)

    digest = Digest.of(requirements.read_bytes()).short
    return kept_folder(home / f"{target}-{digest}-{kind_of(interpreter)}", fill)
