"""Unpack what came from outside; the one place that does so.

An archive is hostile until it was read to its end. Only regular files and folders with plain
relative names are taken: no links, no devices, no sparse files, no name twice, not even in
another spelling that some file system takes for the same. Modes are 0644, 0755 for programs and
folders, whatever the archive says. On any refusal nothing of it is left.

Layers of images, which have links and whiteouts, are unpacked by ``unpack_layer.py``; zip files by
``unpack_zip.py``; what is compressed is inflated by ``unpack_inflate.py``.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from samovar.store.unpack_folder import Folder
from samovar.store.unpack_limits import Limits, refused
from samovar.store.unpack_names import check_portable, spelling
from samovar.store.unpack_reader import Hashed, TarReader, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.core.digest import Digest

__all__ = ["Limits", "Taken", "extract_tar", "read_tar", "scan_tar"]


def extract_tar(stream: IO[bytes], into: Path, *, limits: Limits | None = None) -> list[str]:
    """Unpack an uncompressed tar file.

    Parameters
    ----------
    stream : file object
        The tar file's bytes; read once, forwards, to the end.
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
        Where it is cut off or no tar file.
    """
    limits = limits or Limits()
    folder = Folder(into)
    try:
        return list(_extract(TarReader(stream, limits), folder, limits))
    except BaseException:
        folder.undo()
        raise
    finally:
        folder.close()


def scan_tar(stream: IO[bytes], *, limits: Limits | None = None) -> Digest:
    """Read a tar file to its end by the rules of `extract_tar`, and write nothing.

    Returns
    -------
    Digest
        Of its bytes: a layer's diff ID.
    """
    limits = limits or Limits()
    hashed = Hashed(stream)
    taken = Taken()
    for member in map(plain_name, TarReader(hashed, limits)):
        if member.kind == "folder" and member.name == ".":
            continue
        parts = check_portable(member.name, limits)
        _check_kind(member.name, member.kind)
        taken.add(parts, is_folder=member.kind == "folder")
    return hashed.digest()


def read_tar(stream: IO[bytes], *, limits: Limits | None = None) -> dict[str, bytes]:
    """Read a small tar file's files into memory, by the same rules; nothing is written.

    Parameters
    ----------
    stream : file object
        The tar file's bytes.
    limits : Limits, optional
        How much it may hold; the caller has bounded the stream otherwise.
    """
    limits = limits or Limits()
    reader, taken = TarReader(stream, limits), Taken()
    found: dict[str, bytes] = {}
    for member in map(plain_name, reader):
        if member.kind == "folder" and member.name == ".":
            continue
        parts = check_portable(member.name, limits)
        _check_kind(member.name, member.kind)
        taken.add(parts, is_folder=member.kind == "folder")
        if member.kind == "file":
            found["/".join(parts)] = b"".join(reader.content())
    return found


class Taken:
    """The names that an archive has used, in the spelling that all file systems agree on."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}

    def add(self, parts: tuple[str, ...], *, is_folder: bool) -> None:
        """Take a name.

        Raises
        ------
        Refused
            Where it is taken, or differs from another in its spelling alone.
        """
        above = parts if is_folder else parts[:-1]
        for depth in range(1, len(above) + 1):
            path = "/".join(above[:depth])
            known = self._folders.setdefault(spelling(path), path)
            if known != path or spelling(path) in self._files:
                raise refused("/".join(parts), "stands in it twice, or differs only in spelling")
        if not is_folder:
            key = spelling("/".join(parts))
            if key in self._files or key in self._folders:
                raise refused("/".join(parts), "stands in it twice, or differs only in spelling")
            self._files.add(key)


def _extract(reader: TarReader, folder: Folder, limits: Limits) -> Iterator[str]:
    taken = Taken()
    for member in map(plain_name, reader):
        if member.kind == "folder" and member.name == ".":
            continue
        parts = check_portable(member.name, limits)
        _check_kind(member.name, member.kind)
        taken.add(parts, is_folder=member.kind == "folder")
        if member.kind == "folder":
            folder.make_folder(parts)
        else:
            folder.write_file(parts, reader.content(), executable=member.executable)
            yield "/".join(parts)


def _check_kind(name: str, kind: str) -> None:
    if kind not in {"file", "folder"}:
        raise refused(name, f"is a {kind}")
