"""Platforms that images are made for, and the C libraries on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

MACHINES: Final = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Each platform with the processor's name in wheels' tags."""
_OWN_NAMES: Final = {"aarch64": "linux/arm64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Libc:
    """The C library of a base.

    Parameters
    ----------
    name : str
        ``glibc`` or ``musl``.
    major, minor : int
        Its version.
    """

    name: str
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.name} {self.major}.{self.minor}"


def own_platform() -> str:
    """Give the platform whose images run on this machine, in its engine or its virtual one."""
    machine = os.uname().machine if hasattr(os, "uname") else "x86_64"
    return _OWN_NAMES.get(machine, "linux/amd64")


def checked_platforms(names: Sequence[str]) -> tuple[str, ...]:
    """Give the platforms to build for, each once; this machine's where none is named.

    Raises
    ------
    UserError
        For one that images are not made for.
    """
    for name in names:
        if name not in MACHINES:
            raise UserError(
                f"Images are not made for {name!r}.",
                hint=f"Platforms of images are {' and '.join(MACHINES)}.",
                code="unknown_platform",
            )
    return tuple(sorted(set(names))) or (own_platform(),)
