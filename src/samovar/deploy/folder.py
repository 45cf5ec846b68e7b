"""Put what a way writes, and what of the bundle it needs beside it, into a folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from samovar.bundle.archive import save
from samovar.core import layout
from samovar.core.reference import Reference
from samovar.deploy.plan import Service
from samovar.env.export import to_requirements
from samovar.env.lock import Lock
from samovar.errors import UserError
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.deploy.plan import Files
    from samovar.store.layout import Store

_EXECUTABLE = 0o755
_PLAIN = 0o644


def service_of(bundle: Bundle, *, image: str | None) -> Service:
    """Describe a bundle as something that can be run.

    Parameters
    ----------
    bundle : Bundle
        From the store.
    image : str, optional
        Reference of its image; by default its name and version.
    """
    document = bundle.document
    return Service(
        name=document.name,
        version=document.version,
        digest=bundle.digest,
        image=image or f"{document.name}:{document.version}",
        python=document.python,
        app=document.app,
    )


def write_files(files: Files, folder: Path) -> list[str]:
    """Write texts below a folder; give their paths, sorted.

    Raises
    ------
    UserError
        Where the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", hint="Name another one with -o.")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = _EXECUTABLE if path.suffix == ".sh" else _PLAIN
        write_file(path, text.encode(), mode=mode)
    return sorted(files)


def write_bundle(bundle: Bundle, unpacked: Path, folder: Path) -> list[str]:
    """Write the project's files and hashed requirements of a bundle beside a way's own files."""
    project = folder / layout.PROJECT
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(unpacked / layout.PROJECT, project)
    wheels = unpacked / layout.WHEELS
    local = layout.WHEELS if wheels.is_dir() else None
    if local is not None:
        shutil.copytree(wheels, folder / local, dirs_exist_ok=True)
    text = to_requirements(Lock.from_bytes(bundle.lock).packages, wheels=local)
    write_file(folder / "requirements.txt", text.encode())
    written = [path for path in project.rglob("*") if path.is_file()]
    return ["requirements.txt", *sorted(path.relative_to(folder).as_posix() for path in written)]


def archive_name(bundle: Bundle) -> str:
    """Give the file name of a saved bundle that goes along."""
    return f"{str(bundle.digest).replace(':', '-')}.tar"


def write_archive(store: Store, bundle: Bundle, folder: Path) -> str:
    """Save a bundle into a folder, where it is not there; give the file's name."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / archive_name(bundle)
    if not archive.exists():
        reference = Reference(name="bundle", digest=bundle.digest)
        save(store, reference, bundle.descriptor, archive)
    return archive.name
