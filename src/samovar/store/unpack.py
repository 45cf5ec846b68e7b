"""Unpack tar files from outside; the one place that does so.

A tar file is hostile until it was read to its end. Only regular files and folders with plain
relative names are taken: no links, no devices, no sparse files, no name twice, not even in
another spelling that some file system takes for the same. Modes are 0644, 0755 for programs and
folders, whatever the file says. On any refusal the folder is left empty.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import unicodedata
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from samovar.errors import Damaged, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1024 * 1024
_HINT: Final = "Nothing of it was kept. Ask whoever made the file how it came about."
_DEVICE_NAMES: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a tar file may hold.

    Parameters
    ----------
    members : int
        Files and folders.
    size_bytes : int
        All contents together.
    path_bytes : int
        Length of a path in UTF-8.
    depth : int
        Parts of a path.
    """

    members: int = 200_000
    size_bytes: int = 64 * 1024**3
    path_bytes: int = 1024
    depth: int = 64


def extract_tar(stream: IO[bytes], into: Path, *, limits: Limits | None = None) -> list[str]:
    """Unpack an uncompressed tar file.

    Parameters
    ----------
    stream : file object
        The tar file's bytes; read once, forwards.
    into : Path
        A folder of ours that holds nothing of anybody else's; made where it is absent. What
        earlier layers put there may be added to, and never replaced.
    limits : Limits, optional
        How much it may hold.

    Returns
    -------
    list of str
        The paths of the files, in the order of the tar file.

    Raises
    ------
    Refused
        Naming the member that no honest file has.
    Damaged
        Where it is truncated or no tar file.
    """
    limits = limits or Limits()
    into.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    try:
        return list(_extract(stream, into, limits, made))
    except tarfile.TarError as error:
        _undo(made)
        raise Damaged(
            "The tar file is damaged.", why=str(error), hint="Save or fetch it again."
        ) from error
    except (EOFError, OverflowError, ValueError) as error:
        _undo(made)
        raise Damaged("The tar file is damaged or cut off.", why=str(error) or None) from error
    except BaseException:
        _undo(made)
        raise


def _extract(stream: IO[bytes], into: Path, limits: Limits, made: list[Path]) -> Iterator[str]:
    seen: set[str] = set()
    count = size = 0
    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2, bufsize=_CHUNK) as archive:
        for member in archive:
            count, size = count + 1, size + member.size
            _check_amount(member, count, size, limits)
            path = _check_name(member, limits)
            key = _spelling(path)
            if member.isdir():
                _make_folder(into / path, into, made)
                continue
            if key in seen:
                raise _refuse(member, "stands in it twice, or differs only in spelling")
            seen.add(key)
            _make_folder((into / path).parent, into, made)
            _write(archive, member, into / path, made)
            yield path


def _check_amount(member: tarfile.TarInfo, count: int, size: int, limits: Limits) -> None:
    if count > limits.members:
        raise _refuse(member, f"is one of more than {limits.members} members")
    if member.size < 0 or size > limits.size_bytes:
        raise _refuse(member, f"makes it larger than {limits.size_bytes} bytes")
    if member.issparse():
        raise _refuse(member, "is a sparse file")
    if member.islnk() or member.issym():
        raise _refuse(member, "is a link")
    if not (member.isreg() or member.isdir()):
        raise _refuse(member, "is a device or of an unknown kind")


def _check_name(member: tarfile.TarInfo, limits: Limits) -> str:
    name = member.name.removeprefix("./").rstrip("/") if member.isdir() else member.name
    parts = name.split("/")
    if len(os.fsencode(name)) > limits.path_bytes or len(parts) > limits.depth:
        raise _refuse(member, "has too long a name")
    if name.startswith("/") or "\\" in name or ":" in name:
        raise _refuse(member, "is not a plain relative path")
    if any(part in {"", ".", ".."} for part in parts):
        raise _refuse(member, "is not a plain relative path")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise _refuse(member, "has control characters in its name")
    for part in parts:
        if part.startswith(".wh."):
            raise _refuse(member, "is a whiteout, which only an image has")
        if part != part.rstrip(" .") or part.partition(".")[0].lower() in _DEVICE_NAMES:
            raise _refuse(member, "has a name that Windows takes for another")
    return name


def _spelling(path: str) -> str:
    """Fold what file systems of the world take for the same name."""
    return unicodedata.normalize("NFC", path).casefold()


def _make_folder(folder: Path, into: Path, made: list[Path]) -> None:
    missing = []
    while folder != into and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        try:
            path.mkdir(mode=0o755)
        except FileExistsError:
            raise Refused(
                f"{path.name!r} is a file and a folder at once.", hint=_HINT, code="hostile_tar"
            ) from None
        made.append(path)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, made: list[Path]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)
    mode = 0o755 if member.mode & 0o100 else 0o644
    try:
        handle = os.open(path, flags, mode)
    except FileExistsError:
        raise _refuse(member, "is there already") from None
    made.append(path)
    content = archive.extractfile(member)
    written = 0
    with os.fdopen(handle, "wb") as file:
        while content is not None and (chunk := content.read(_CHUNK)):
            written += file.write(chunk)
    if written != member.size:
        raise Damaged(f"The tar file ends within {member.name!r}.", hint="Fetch it again.")
    path.chmod(mode)


def _undo(made: list[Path]) -> None:
    for path in reversed(made):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _refuse(member: tarfile.TarInfo, why: str) -> Refused:
    shown = member.name if len(member.name) <= 100 else member.name[:97] + "..."
    return Refused(
        f"The tar file is refused: the member {shown!r} {why}.", hint=_HINT, code="hostile_tar"
    )
