"""Write a lock for other tools: pip's hashed requirements.txt and conda's environment.yml."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from samovar.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samovar.env.lock import Lock, LockedPackage


def export_lock(lock: Lock, file_name: str, *, python_minor: str, project: str) -> str:
    """Write a lock in the form that a file's name asks for.

    Parameters
    ----------
    lock : Lock
        What is pinned.
    file_name : str
        ``*.txt`` for pip, ``*.yml`` or ``*.yaml`` for conda.
    python_minor, project : str
        For conda: the version of Python and the environment's name.

    Raises
    ------
    UserError
        For another ending.
    """
    check_export_name(file_name)
    if file_name.endswith(".txt"):
        return to_requirements(lock.packages)
    return to_conda(lock.packages, python_minor=python_minor, project=project)


def check_export_name(file_name: str) -> None:
    """Refuse a file whose ending names no form.

    Raises
    ------
    UserError
        Naming the endings that do.
    """
    if PurePosixPath(file_name).suffix not in {".txt", ".yml", ".yaml"}:
        raise UserError(
            f"A lock cannot be exported to {file_name}.",
            hint="Name a file ending in .txt (pip) or .yml (conda).",
        )


def to_requirements(packages: Iterable[LockedPackage], *, wheels: str | None = None) -> str:
    """Write pip's requirements with a hash for every file; no index is named.

    Parameters
    ----------
    packages : iterable of LockedPackage
        In the lock's order.
    wheels : str, optional
        Folder of the wheels that travel with the lock, relative to the file that is written.
    """
    lines = []
    for package in packages:
        local = next((file.path for file in package.wheels if file.path is not None), None)
        head = f"{package.name}=={package.version}"
        if local is not None and wheels is not None:
            head = f"./{wheels}/{PurePosixPath(local).name}"
        if package.marker is not None:
            head += f" ; {package.marker}"
        hashes = sorted({f"--hash=sha256:{file.sha256}" for file in package.files})
        lines.append(" \\\n    ".join([head, *hashes]))
    return "\n".join(lines) + "\n"


def to_conda(packages: Iterable[LockedPackage], *, python_minor: str, project: str) -> str:
    """Write conda's environment: Python by conda, everything else, exactly pinned, by pip.

    The packages are those of the package index, to the file; conda's own builds of the same
    version are other binaries and may give other results.
    """
    pinned = [
        f"{package.name}=={package.version}"
        + ("" if package.marker is None else f" ; {package.marker}")
        for package in packages
    ]
    document = {
        "name": project,
        "channels": ["conda-forge"],
        "dependencies": [f"python={python_minor}", "pip", {"pip": pinned}],
    }
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, width=1000)
    return text
