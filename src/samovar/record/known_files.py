"""Remember large files that were stored, so that an unchanged one is neither read nor stored again.

A file counts as unchanged as in the index of Git: device, inode, size, and the times of its content
and of its inode are the same. The second is set by the kernel, and no program gives a file an older
one. A file that changed just before it was read is not remembered: its times could hide one more
change.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Final

from samovar.core.digest import Digest
from samovar.core.run import RunFile
from samovar.errors import Damaged
from samovar.record.chunks import WHOLE_BYTES, store_file
from samovar.store.atomic import write_file
from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.store.layout import Store

_SETTLED_NS: Final = 2_000_000_000
_FICLONE: Final = 0x40049409
_COPY_BYTES: Final = 4 << 20
_AT_ONCE: Final = 256 << 20
_NOT_BY_THE_KERNEL: Final = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What of a file's metadata changes when its content does."""

    device: int
    inode: int
    size_bytes: int
    changed_ns: int
    inode_changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Signature:
        """Read it."""
        found = path.stat()
        return cls(
            device=found.st_dev,
            inode=found.st_ino,
            size_bytes=found.st_size,
            changed_ns=found.st_mtime_ns,
            inode_changed_ns=found.st_ctime_ns,
        )

    def has_settled(self, now_ns: int) -> bool:
        """Say whether a further change would give other times, however coarse their clock is."""
        return max(self.changed_ns, self.inode_changed_ns) + _SETTLED_NS < now_ns

    def to_json(self) -> list[int]:
        """Give the stored form."""
        times = [self.changed_ns, self.inode_changed_ns]
        return [self.device, self.inode, self.size_bytes, *times]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The project's own file that a stored one was read from.

    Parameters
    ----------
    path : Path
        Where it is.
    signature : Signature
        Before it was read.
    """

    path: Path
    signature: Signature

    def is_unchanged(self) -> bool:
        """Say whether it is still the file that was read."""
        try:
            return Signature.of(self.path) == self.signature
        except OSError:
            return False

    def still_is(self, digest: Digest) -> bool:
        """Say whether it has these bytes; they are read only where its metadata changed."""
        if self.is_unchanged():
            return True
        try:
            return digest_file(self.path) == digest
        except OSError:
            return False


def copy_unchanged(original: Original, target: Path) -> bool:
    """Copy a file that is still the one that was read; say whether it was, before and after.

    Where the file system can, the copy shares the original's blocks until either is written to.
    """
    if not original.is_unchanged():
        return False
    with original.path.open("rb") as source, target.open("wb") as copy:
        if not _share_blocks(source.fileno(), copy.fileno()):
            _copy(source, copy)
    return original.is_unchanged()


def _copy(source: BinaryIO, copy: BinaryIO) -> None:
    """Copy by ``copy_file_range(2)``, which costs a fifth; by hand where there is none."""
    if sys.platform == "linux":
        try:
            while os.copy_file_range(source.fileno(), copy.fileno(), _AT_ONCE):
                pass
        except OSError as error:
            if error.errno not in _NOT_BY_THE_KERNEL:
                raise
        if os.fstat(copy.fileno()).st_size == os.fstat(source.fileno()).st_size:
            return
        # Some file systems end early instead of refusing.
        source.seek(0)
        copy.seek(0)
    shutil.copyfileobj(source, copy, _COPY_BYTES)


def _share_blocks(source: int, copy: int) -> bool:
    """Ask for a copy on write (``ioctl_ficlone(2)``); ext4 and tmpfs have none."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(copy, _FICLONE, source)
    except OSError:
        return False
    return True


class KnownFiles:
    """Stores files and remembers those that are large.

    Parameters
    ----------
    folder : Path
        A cache: it may be lost at any time.
    now_ns : callable
        Gives the time now, in nanoseconds since 1970.
    """

    def __init__(self, folder: Path, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._now_ns = now_ns

    def store(self, store: Store, path: Path, name: str) -> tuple[RunFile, Original]:
        """Store a file, or find that it is stored.

        Parameters
        ----------
        path : Path
            The file.
        name : str
            Its path in the project.
        """
        original = Original(path=path, signature=Signature.of(path))
        if original.signature.size_bytes <= WHOLE_BYTES:
            return store_file(store, path, name), original
        known = self._known(store, original)
        if known is None:
            begun_ns = self._now_ns()
            known = store_file(store, path, name)
            if original.signature.has_settled(begun_ns) and original.is_unchanged():
                self._remember(original, known)
        return replace(known, path=name), original

    def _known(self, store: Store, original: Original) -> RunFile | None:
        try:
            document = json.loads(self._place(original).read_bytes())
            if document["signature"] != original.signature.to_json():
                return None
            file = RunFile.from_json(document["file"])
        except (OSError, ValueError, KeyError, TypeError, Damaged):
            return None
        return file if all(map(store.has_blob, file.chunks or (file.digest,))) else None

    def _remember(self, original: Original, file: RunFile) -> None:
        document = {"signature": original.signature.to_json(), "file": file.to_json()}
        write_file(self._place(original), json.dumps(document).encode())

    def _place(self, original: Original) -> Path:
        return self._folder / Digest.of(os.fsencode(original.path.resolve())).hex
