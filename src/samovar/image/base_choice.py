"""What ``--base`` means: Debian's packages, a ``base.lock`` file, or an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.core.reference import Reference
from samovar.errors import EnvironmentMismatch, UserError
from samovar.image.base import Base, debian_base
from samovar.image.base_image import image_base
from samovar.image.base_lock import BaseLock, known_base

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

DEBIAN: Final = "debian"
_LOCK_SUFFIX: Final = ".lock"


def choose_base(
    home: Home, store: Store, text: str, python: str, platform: str, progress: Progress
) -> Base:
    """Bring the base that is asked for into the store.

    Parameters
    ----------
    text : str
        ``debian``, a file that ends with ``.lock``, a folder that is an OCI layout, or a reference.
    python : str
        Minor version that the model was made with.
    platform : str
        ``linux/amd64``, ...

    Raises
    ------
    EnvironmentMismatch
        Where the base has another Python.
    Unavailable
        Where there is none, or it cannot be had.
    """
    lock = lock_of_base(text, python)
    if lock is None:
        return image_base(home, store, text, python=python, platform=platform, progress=progress)
    if lock.python != python:
        raise EnvironmentMismatch(
            f"The base has Python {lock.python}; the model was made with {python}.",
            hint="Name another base, or make the model with that Python.",
            code="wrong_python",
        )
    if platform not in lock.packages:
        raise UserError(
            f"The base is not for {platform}.",
            hint=f"It is for {' and '.join(sorted(lock.packages))}.",
            code="unknown_platform",
        )
    return debian_base(home, store, lock, platform, progress)


def lock_of_base(text: str, python: str) -> BaseLock | None:
    """Give the ``base.lock`` that ``--base`` means, or None where it means an image."""
    if text == DEBIAN:
        return known_base(python)
    if text.endswith(_LOCK_SUFFIX) and Path(text).is_file():
        return BaseLock.from_text(Path(text).read_bytes(), where=text)
    return None


def pinned_base(text: str, python: str) -> str | None:
    """Name what ``--base`` means where it can only mean one thing; None for a tag, which moves."""
    lock = lock_of_base(text, python)
    if lock is not None:
        return str(lock.digest)
    if Path(text).exists():
        return None
    digest = Reference.parse(text).digest
    return None if digest is None else str(digest)
