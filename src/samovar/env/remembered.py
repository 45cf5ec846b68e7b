"""What a lock asks for on this machine, remembered: reading it again takes longer than asking.

An answer stands beside the cached environments, under a digest of all that it depends on: the bytes
of the lock, the interpreter and its markers. It names the environment that was made for it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.errors import SamovarError

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.env.interpreters import Interpreter

_VERSION: Final = 1
_SUFFIX: Final = ".answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a lock installs for an interpreter.

    Parameters
    ----------
    key : str
        Name of the cached environment's folder.
    packages : tuple of tuple of str
        Name and version of each distribution.
    """

    key: str
    packages: tuple[tuple[str, str], ...]


def recall(envs: Path, lock: bytes, base: Interpreter) -> Answer | None:
    """Give the answer that was remembered for a lock, if it is there and whole."""
    try:
        document = json.loads(_place(envs, lock, base).read_bytes())
        return Answer(
            key=str(document["key"]),
            packages=tuple((str(name), str(version)) for name, version in document["packages"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(envs: Path, lock: bytes, base: Interpreter, answer: Answer) -> None:
    """Keep an answer; where the folder cannot be written, the lock is read again next time."""
    from samovar.store.atomic import write_memory

    document = {"key": answer.key, "packages": [list(package) for package in answer.packages]}
    with suppress(SamovarError, OSError):
        write_memory(_place(envs, lock, base), canonical_json(document))


def _place(envs: Path, lock: bytes, base: Interpreter) -> Path:
    asked = {
        "version": _VERSION,
        "lock": str(Digest.of(lock)),
        "python": [str(base.base), base.version],
        "markers": dict(base.markers),
    }
    return envs / f"{Digest.of(canonical_json(asked)).hex[:32]}{_SUFFIX}"
