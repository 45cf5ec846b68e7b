"""TARGET: what a command is asked to work on.

Read in this order: a scheme (``http://``, ``image:``, ``ssh://``), a digest or its beginning, an
explicit path, a name that the store has, a path that exists, a registry reference.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from samovar.core.reference import Reference
from samovar.errors import InvalidReference, NotFound

if TYPE_CHECKING:
    from samovar.store.layout import Store

_SHORT: Final = re.compile(r"sha256:[0-9a-f]{7,63}")
_SCHEMES: Final = ("http://", "https://", "image:", "ssh://")


@dataclass(frozen=True, slots=True)
class Stored:
    """A name or digest in the store, or to be pulled into it."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """A folder with ``samovar.toml``, or one that can be adopted."""

    path: Path


@dataclass(frozen=True, slots=True)
class LayoutFolder:
    """A folder that is an OCI image layout."""

    path: Path


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar file that ``save`` made."""

    path: Path


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A bare model file."""

    path: Path


@dataclass(frozen=True, slots=True)
class Remote:
    """Something that answers elsewhere: a service, an image, a host."""

    scheme: str
    address: str


Target: TypeAlias = Stored | ProjectFolder | LayoutFolder | Archive | ModelFile | Remote


def read_target(text: str | None, store: Store) -> Target:
    """Find out what a TARGET is; nothing is changed or fetched.

    Parameters
    ----------
    text : str or None
        As typed; None means the project in the current folder.
    store : Store
        Asked whether it has the name.

    Raises
    ------
    InvalidReference
        Where it is neither a path nor a well-formed name.
    NotFound
        Where it looks like a path and nothing is there.
    """
    if text is None:
        return ProjectFolder(Path.cwd())
    for scheme in _SCHEMES:
        if text.startswith(scheme):
            return Remote(scheme.rstrip("/").rstrip(":"), text)
    if text.startswith("sha256:"):
        digest = store.complete(text) if _SHORT.fullmatch(text) else text
        return Stored(Reference.parse(f"bundle@{digest}"))
    path = Path(text)
    if _is_explicit_path(text):
        return _of_path(path)
    try:
        reference = Reference.parse(text)
    except InvalidReference as error:
        if path.exists():
            return _of_path(path)
        if text.endswith(".tar") or path.suffix in {".pkl", ".joblib", ".onnx"}:
            raise _no_such_file(path) from error
        raise
    if not reference.is_remote and f"{reference.name}:{reference.tag}" in store.names():
        return Stored(reference)
    return _of_path(path) if path.exists() else Stored(reference)


def _is_explicit_path(text: str) -> bool:
    starts = (".", "~", os.sep) + ((os.altsep,) if os.altsep else ())
    return text.startswith(starts) or text.endswith((os.sep, "/")) or Path(text).is_absolute()


def _of_path(path: Path) -> Target:
    path = path.expanduser()
    if path.is_dir():
        return LayoutFolder(path) if (path / "oci-layout").is_file() else ProjectFolder(path)
    if not path.exists():
        raise _no_such_file(path)
    return Archive(path) if path.suffix == ".tar" else ModelFile(path)


def _no_such_file(path: Path) -> NotFound:
    return NotFound(
        f"There is no file or folder {path}.",
        hint="A TARGET is a name in the store ('samovar list'), a folder, a .tar made by "
        "'samovar save', a model file, or a registry reference.",
    )
