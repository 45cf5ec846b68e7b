"""Build the project's local and editable packages into wheels that travel in the bundle.

The same source gives the same wheel: it is built from a copy, with a fixed time, and its zip file
is written anew without anything of the machine.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from samovar.core.digest import Digest
from samovar.env.uv import run_uv
from samovar.errors import InvalidRequirements, SamovarError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from samovar.env.interpreters import Interpreter
    from samovar.env.lock import Lock

_GENERATOR: Final = re.compile(rb"^Generator: [^\r\n]*", re.MULTILINE)
_INFO: Final = re.compile(r"[^/]+\.dist-info/WHEEL$")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_EPOCH_S: Final = "315532800"
_NEVER_COPIED: Final = (".git", "*venv", "__pycache__", "*.pyc", "node_modules", ".tox")
# What builds leave behind at the top; further down these are names like any other.
_LEFT_BEHIND: Final = ("build", "dist", "*.egg-info")


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
        name=_distribution(built.name),
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
    shutil.copytree(source, copy, ignore=_not_copied(source), symlinks=True)
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


def wheels_of_folders(document: Mapping[str, Any]) -> tuple[LocalWheel, ...]:
    """Find the wheels that a lock, as uv wrote it, takes from folders of this machine.

    Raises
    ------
    InvalidRequirements
        Where a folder has a source archive alone: what it builds to differs between machines.
    """
    found = []
    for package in document["packages"]:
        wheels = [one for one in package.get("wheels", ()) if "file:" in one.get("url", "")]
        for one in wheels:
            from urllib.request import url2pathname  # brings HTTP along; few need it

            path = Path(url2pathname(urlsplit(one["url"]).path))
            found.append(_taken(path, Digest(f"sha256:{one['hashes']['sha256']}")))
        if "file:" in package.get("sdist", {}).get("url", "") and not package.get("wheels"):
            raise InvalidRequirements(
                f"{package['name']} {package.get('version', '')} is there as source alone.",
                why=f"The folder has {urlsplit(package['sdist']['url']).path.rsplit('/', 1)[-1]}.",
                hint="Build a wheel of it into the same folder ('pip wheel --no-deps').",
                code="no_wheel",
            )
    return tuple(found)


def wheels_of_lock(
    lock: Lock, built: Sequence[LocalWheel], folders: Sequence[Path]
) -> tuple[LocalWheel, ...]:
    """Find the wheels that travel with a lock and were not built: they lie in index folders.

    Parameters
    ----------
    lock : Lock
        That names them.
    built : sequence of LocalWheel
        The others.
    folders : sequence of Path
        Where they may lie, the lock's own ``wheels`` among them.

    Raises
    ------
    InvalidRequirements
        Naming the file that is nowhere, or is another one.
    """
    have = {wheel.path.name for wheel in built}
    found = []
    for file in (file for package in lock.packages for file in package.wheels):
        if file.path is None or file.name in have:
            continue
        places = [folder / file.name for folder in folders if (folder / file.name).is_file()]
        matching = [one for one in places if Digest.of(one.read_bytes()).hex == file.sha256]
        if not matching:
            raise InvalidRequirements(
                f"The lock names {file.name}, which is not what this machine has."
                if places
                else f"The lock names {file.name}, which is not on this machine.",
                why=f"Looked in {', '.join(map(str, folders)) or 'no folder'}.",
                hint="Put the file back, or run 'samovar lock'.",
                code="stale_lock",
            )
        found.append(_taken(matching[0], Digest(f"sha256:{file.sha256}")))
    return tuple(found)


def _taken(path: Path, digest: Digest) -> LocalWheel:
    return LocalWheel(path=path, name=_distribution(path.name), digest=digest)


def _distribution(file_name: str) -> str:
    return canonicalize_name(file_name.partition("-")[0])


def _not_copied(source: Path) -> Callable[[str, list[str]], set[str]]:
    never, left = shutil.ignore_patterns(*_NEVER_COPIED), shutil.ignore_patterns(*_LEFT_BEHIND)

    def ignored(folder: str, names: list[str]) -> set[str]:
        return never(folder, names) | (left(folder, names) if Path(folder) == source else set())

    return ignored


def _normalise(wheel: Path, target: Path) -> None:
    """Write a wheel's zip file with sorted names, one time and plain modes.

    The line that names the builder's version is made constant, so that two machines with other
    versions of setuptools agree; RECORD follows.
    """
    with zipfile.ZipFile(wheel) as old:
        contents = {name: old.read(name) for name in sorted(old.namelist())}
    info = next((name.rpartition("/")[0] for name in contents if _INFO.match(name)), None)
    if info is not None:
        about, record = f"{info}/WHEEL", f"{info}/RECORD"
        contents[about] = _GENERATOR.sub(b"Generator: samovar", contents[about])
        contents[record] = _record(record, contents)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            new.writestr(entry, data)


def _record(record: str, contents: Mapping[str, bytes]) -> bytes:
    """Write RECORD anew (PyPA, "Recording installed projects")."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for name, data in contents.items():
        if name == record or name.endswith("/"):
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(data)])
    writer.writerow([record, "", ""])
    return lines.getvalue().encode()
