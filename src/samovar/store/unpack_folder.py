"""Write below one folder, whatever stands in it: no step follows a link.

Where the platform has ``dir_fd`` and ``O_NOFOLLOW``, every part of a path is opened from the folder
above it, so that even a link put there meanwhile leads nowhere.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from samovar.store.unpack_limits import refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from samovar.errors import Refused

_BY_HANDLE: Final = (
    {os.open, os.mkdir, os.stat, os.unlink, os.rmdir} <= os.supports_dir_fd
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NEW_FILE: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


class Folder:
    """A folder that is written into, and remembers what it made.

    Parameters
    ----------
    path : Path
        Made where it is absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: list[Path] = []
        self._is_ours = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        self._handles: list[tuple[str, int]] = []
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY) if _BY_HANDLE else -1

    def close(self) -> None:
        """Let go of the open folders."""
        self._pop_to(0)
        if _BY_HANDLE:
            os.close(self._root)

    def undo(self) -> None:
        """Remove all that was made here."""
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir() if _is_folder(path) else path.unlink()
        if self._is_ours:
            shutil.rmtree(self._path, ignore_errors=True)

    def make_folder(self, parts: tuple[str, ...]) -> None:
        """Make a folder and those above it, where they are not there."""
        self._enter(parts)

    def write_file(
        self, parts: tuple[str, ...], content: Iterable[bytes], *, executable: bool
    ) -> int:
        """Write a new file and give its size in bytes.

        Raises
        ------
        Refused
            Where something of that name is there already, or a part of the path is no folder.
        """
        where = self._enter(parts[:-1])
        mode = 0o755 if executable else 0o644
        try:
            if _BY_HANDLE:
                handle = os.open(parts[-1], _NEW_FILE, mode, dir_fd=where)
            else:
                handle = os.open(self._path.joinpath(*parts), _NEW_FILE, mode)
        except FileExistsError:
            raise refused("/".join(parts), "is there already") from None
        self._made.append(self._path.joinpath(*parts))
        size = 0
        with os.fdopen(handle, "wb") as file:
            for piece in content:
                size += file.write(piece)
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
        return size

    def _enter(self, parts: tuple[str, ...]) -> int:
        """Open the folder at a path, making what is missing."""
        if not _BY_HANDLE:
            return self._enter_by_path(parts)
        common = 0
        for (name, _), part in zip(self._handles, parts, strict=False):
            if name != part:
                break
            common += 1
        self._pop_to(common)
        for depth in range(common, len(parts)):
            above = self._handles[-1][1] if self._handles else self._root
            self._handles.append((parts[depth], self._open(above, parts[: depth + 1])))
        return self._handles[-1][1] if self._handles else self._root

    def _open(self, above: int, parts: tuple[str, ...]) -> int:
        is_new = True
        try:
            os.mkdir(parts[-1], 0o755, dir_fd=above)
        except FileExistsError:
            is_new = False
        else:
            self._made.append(self._path.joinpath(*parts))
        try:
            handle = os.open(parts[-1], _FOLDER, dir_fd=above)
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.EMLINK}:
                raise _no_folder(parts) from error
            raise
        if is_new:
            os.fchmod(handle, 0o755)  # whatever the umask is
        return handle

    def _enter_by_path(self, parts: tuple[str, ...]) -> int:
        folder = self._path
        for part in parts:
            folder = folder / part
            try:
                folder.mkdir(mode=0o755)
            except FileExistsError:
                if not _is_folder(folder):
                    raise _no_folder(parts) from None
            else:
                self._made.append(folder)
        return -1

    def _pop_to(self, depth: int) -> None:
        while len(self._handles) > depth:
            os.close(self._handles.pop()[1])


def _no_folder(parts: tuple[str, ...]) -> Refused:
    return refused("/".join(parts), "is a folder to some members, and none to others")


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
