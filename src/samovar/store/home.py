"""``SAMOVAR_HOME``: where the store, the environments and what samovar caches itself live."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Home:
    """The folders below ``SAMOVAR_HOME``; each is made when it is first asked for.

    Parameters
    ----------
    path : Path
        Absolute.
    """

    path: Path

    @classmethod
    def locate(cls) -> Home:
        """Find and make the home: ``SAMOVAR_HOME``, else the platform's data folder, mode 0700.

        Raises
        ------
        Unavailable
            Where it cannot be made.
        """
        named = os.environ.get("SAMOVAR_HOME")
        if named:
            path = Path(named)
        else:
            from platformdirs import user_data_path

            path = user_data_path("samovar", appauthor=False)
        try:
            path = path.absolute()
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = path.stat()
            if (
                os.name == "posix"
                and found.st_uid == os.getuid()
                and found.st_mode & 0o777 != 0o700
            ):
                path.chmod(0o700)
        except OSError as error:
            raise Unavailable(
                f"The folder {path} cannot be used as samovar's home.",
                why=error.strerror,
                hint="Set SAMOVAR_HOME to a folder that you may write to.",
                code="home",
            ) from error
        return cls(path)

    @property
    def store(self) -> Path:
        """The OCI image layout."""
        return self.path / "store"

    @property
    def envs(self) -> Path:
        """Virtual environments made from locks."""
        return self._folder("envs")

    @property
    def runtime(self) -> Path:
        """Copies of the runtime, one for each kind of interpreter."""
        return self._folder("runtime")

    def cache(self, name: str) -> Path:
        """Give a folder for what can be made again at any time."""
        return self._folder("cache", name)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give an empty folder that is gone afterwards, on the home's file system."""
        folder = self.new_workspace()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def new_workspace(self, owner: int | None = None) -> Path:
        """Give an empty folder that its user removes; ``gc`` removes those of dead processes.

        Parameters
        ----------
        owner : int, optional
            The process whose end is the folder's; this one where it is not given.
        """
        prefix = f"{owner or os.getpid()}-"
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self._folder("work")))

    def _folder(self, *parts: str) -> Path:
        folder = self.path.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def is_offline() -> bool:
    """Say whether connections are switched off (``--offline`` or ``SAMOVAR_OFFLINE=1``)."""
    return os.environ.get("SAMOVAR_OFFLINE", "") not in {"", "0"}
