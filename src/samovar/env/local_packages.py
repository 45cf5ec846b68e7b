"""Build the project's local and editable packages into wheels that travel in the bundle.

The same source gives the same wheel: it is built from a copy, with a fixed time, and its zip file
is written anew without anything of the machine.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core.digest import Digest
from samovar.env.uv import run_uv
from samovar.errors import InvalidRequirements, SamovarError

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.env.interpreters import Interpreter

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_EPOCH_S: Final = "315532800"
_NOT_COPIED: Final = shutil.ignore_patterns(
    ".git", "*venv", "__pycache__", "*.pyc", "build", "dist", "*.egg-info", "node_modules", ".tox"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWheel:
    """A wheel that was built from a folder.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Normalised name of the distribution, from the file's name.
    digest : Digest
        Of the file.
    """

    path: Path
    name: str
    digest: Digest


def build_wheel(
    source: Path, into: Path, *, interpreter: Interpreter, workspace: Path, offline: bool
) -> LocalWheel:
    """Build a folder, or take a wheel as it is, into a folder of wheels.

    Parameters
    ----------
    source : Path
        A folder with ``pyproject.toml`` or ``setup.py``, or a ``.whl`` file.
    into : Path
        Where the wheel goes.
    interpreter : Interpreter
        Builds it, in an environment of its own.
    workspace : Path
        An empty folder for the work.
    offline : bool
        Open no connection.

    Raises
    ------
    InvalidRequirements
        Where it is no package, or does not build; the build's own words are the reason.
    """
    into.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".whl":
        built = source
    else:
        built = _build(source, workspace, interpreter, offline=offline)
    target = into / built.name
    _normalise(built, target)
    return LocalWheel(
        path=target,
        name=built.name.partition("-")[0].replace("_", "-").lower(),
        digest=Digest.of(target.read_bytes()),
    )


def _build(source: Path, workspace: Path, interpreter: Interpreter, *, offline: bool) -> Path:
    if not (source / "pyproject.toml").is_file() and not (source / "setup.py").is_file():
        raise InvalidRequirements(
            f"{source} is not a package: it has neither pyproject.toml nor setup.py.",
            hint="Add a pyproject.toml, or list the folder's files under [service] code.",
            code="no_package",
        )
    copy, output = workspace / source.name, workspace / "built"
    shutil.copytree(source, copy, ignore=_NOT_COPIED, symlinks=True)
    try:
        run_uv(
            ["build", "-q", "--wheel", "--python", str(interpreter.base), "--out-dir", str(output),
             str(copy)],
            offline=offline,
            variables={"SOURCE_DATE_EPOCH": _EPOCH_S, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
    except SamovarError as error:
        raise InvalidRequirements(
            f"The local package {source} does not build.",
            why=error.why,
            hint="Build it by 'uv build --wheel' in its folder to see more.",
            code="build_failed",
        ) from error
    return next(output.glob("*.whl"))


def _normalise(wheel: Path, target: Path) -> None:
    """Write a wheel's zip file with sorted names, one time and plain modes."""
    with zipfile.ZipFile(wheel) as old:
        contents = {name: old.read(name) for name in sorted(old.namelist())}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            new.writestr(entry, data)
