"""Find out with which minor version of Python a model was made, from what lies around."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

KNOWN_MINORS: Final = tuple(f"3.{minor}" for minor in range(10, 15))
_MINOR = re.compile(r"3\.[0-9]{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A minor version, and what says so."""

    minor: str
    because: str


def guess_python(folder: Path, *, hint: str | None, environments: Iterable[Path]) -> Guess | None:
    """Guess the minor version of Python that a project's model was made with.

    Parameters
    ----------
    folder : Path
        The project's.
    hint : str, optional
        Specifier of the versions that the libraries recorded in the model run on.
    environments : iterable of Path
        Virtual environments that may be the project's own, likeliest first.

    Returns
    -------
    Guess or None
        None where nothing says anything.
    """
    readers: tuple[tuple[str, Callable[[Path], str | None]], ...] = (
        (".python-version", _first_minor),
        ("runtime.txt", _first_minor),
        ("Dockerfile", _dockerfile),
        ("environment.yml", _conda),
        ("environment.yaml", _conda),
    )
    for environment in environments:
        minor = _pyvenv(environment / "pyvenv.cfg")
        if minor is not None:
            return Guess(minor=minor, because=f"the virtual environment {environment.name}")
    for name, read in readers:
        path = folder / name
        minor = read(path) if path.is_file() else None
        if minor is not None:
            return Guess(minor=minor, because=name)
    return _of_pyproject(folder / "pyproject.toml") or _of_hint(hint)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _first_minor(path: Path) -> str | None:
    found = _MINOR.search(_text(path))
    return found[0] if found else None


def _dockerfile(path: Path) -> str | None:
    found = re.search(r"^FROM\s+\S*python:(3\.[0-9]+)", _text(path), re.M | re.I)
    return found[1] if found else None


def _conda(path: Path) -> str | None:
    found = re.search(r"^\s*-\s*python\s*=+\s*(3\.[0-9]+)", _text(path), re.M)
    return found[1] if found else None


def _pyvenv(path: Path) -> str | None:
    if not path.is_file():
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*(3\.[0-9]+)", _text(path), re.M)
    return found[1] if found else None


def _of_pyproject(path: Path) -> Guess | None:
    if not path.is_file():
        return None
    try:
        wanted = parse_toml(_text(path)).get("project", {}).get("requires-python")
    except (ValueError, AttributeError):
        return None
    minor = _only(wanted) if isinstance(wanted, str) else None
    return None if minor is None else Guess(minor=minor, because="pyproject.toml")


def _of_hint(hint: str | None) -> Guess | None:
    minor = None if hint is None else _only(hint)
    return None if minor is None else Guess(minor=minor, because="the libraries of the model")


def allowed_minors(specifier: str) -> list[str]:
    """List the minor versions that a specifier allows.

    Examples
    --------
    >>> allowed_minors(">=3.9,<3.13")
    ['3.10', '3.11', '3.12']
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(specifier)
    except InvalidSpecifier:
        return []
    return [minor for minor in KNOWN_MINORS if wanted.contains(f"{minor}.99")]


def _only(specifier: str) -> str | None:
    """Give the minor version, where a specifier leaves but one."""
    allowed = allowed_minors(specifier)
    return allowed[0] if len(allowed) == 1 else None
