"""Unpack zip files from outside, by the rules of tar files."""

from __future__ import annotations

import zipfile
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from samovar.store.unpack import Taken
from samovar.store.unpack_folder import Folder
from samovar.store.unpack_limits import Limits, damaged, refused
from samovar.store.unpack_names import check_portable
from samovar.store.zip_headers import BROKEN, content_begins, is_executable, sharing, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 256 * 1024


def extract_zip(stream: IO[bytes], into: Path, *, limits: Limits | None = None) -> list[str]:
    """Unpack a zip file.

    Parameters
    ----------
    stream : file object
        Can be sought.
    into : Path
        A folder of ours; made where it is absent.
    limits : Limits, optional
        How much it may hold.

    Returns
    -------
    list of str
        The paths of the files, in the order of the zip file's directory.

    Raises
    ------
    Refused
        Naming the member that no honest file has.
    Damaged
        Where it is cut off, altered or no zip file.
    """
    limits = limits or Limits()
    folder = Folder(into)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _check_amount(members, limits)
            for member in members:
                content_begins(partial(_read_at, stream), member)
            return list(_extract(archive, members, folder, limits))
    except BROKEN as error:
        folder.undo()
        raise damaged(f"It is no zip file, or altered: {error}.") from error
    except BaseException:
        folder.undo()
        raise
    finally:
        folder.close()


def _extract(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Folder, limits: Limits
) -> Iterator[str]:
    taken = Taken()
    for member in members:
        name = member.filename
        parts = check_portable(name.removesuffix("/"), limits)
        if (why := why_refused(member)) is not None:
            raise refused(name, why)
        is_folder = name.endswith("/")
        taken.add(parts, is_folder=is_folder)
        if is_folder:
            folder.make_folder(parts)
            continue
        content = _content(archive, member)
        size = folder.write_file(parts, content, executable=is_executable(member))
        if size != member.file_size:
            raise damaged(f"A member has {size} bytes, and {member.file_size} are declared.")
        yield "/".join(parts)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Give a member's content, never more than it declares."""
    left = member.file_size
    with archive.open(member) as content:
        while piece := content.read(_CHUNK):
            left -= len(piece)
            if left < 0:
                raise refused(member.filename, "inflates to more than it declares")
            yield piece


def _read_at(stream: IO[bytes], offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)


def _check_amount(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Refuse too much, and members that share their bytes, which make small files enormous."""
    if len(members) > limits.members:
        raise refused(members[-1].filename, f"is one of more than {limits.members} members")
    if (shared := sharing(members)) is not None:
        raise refused(shared.filename, "shares its bytes with another member")
    size = packed = 0
    for member in members:
        size, packed = size + member.file_size, packed + member.compress_size
        if size > min(limits.size_bytes, limits.free_bytes + limits.ratio * packed):
            raise refused(member.filename, "makes it inflate beyond all measure")
