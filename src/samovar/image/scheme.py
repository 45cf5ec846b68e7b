"""Wheels that are to be unpacked, and where their parts go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.image.paths import RUNTIME, VENV, site_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """A wheel that is to be unpacked.

    Parameters
    ----------
    path : Path
        The file; its digest was checked against the lock.
    name, version : str
        Of the distribution in the lock.
    direct_url : mapping, optional
        What PEP 610 has recorded where the lock names this very file and no index.
    """

    path: Path
    name: str
    version: str
    direct_url: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Where the parts of wheels go.

    Parameters
    ----------
    site : str
        Folder of the packages, from the image's root.
    prefix : str
        Folder of everything else; scripts go into its ``bin``.
    minor : str
        Version of Python, ``3.11``.
    """

    site: str
    prefix: str
    minor: str

    @classmethod
    def environment(cls, minor: str) -> Scheme:
        """Give that of the model's virtual environment."""
        return cls(site=site_packages(minor), prefix=VENV, minor=minor)

    @classmethod
    def runtime(cls, minor: str) -> Scheme:
        """Give that of the runtime's folder, flat as ``pip install --target`` makes it."""
        return cls(site=RUNTIME, prefix=RUNTIME, minor=minor)
