"""What ``--base`` means: Debian's packages, a ``base.lock`` file, or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.errors import EnvironmentMismatch, UserError
from samovar.image.base import Base, debian_base
from samovar.image.base_lock import lock_of_base

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


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
        from samovar.image.base_image import image_base

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
