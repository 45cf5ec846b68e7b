"""Find out with which minor version of Python a model was made, from what lies around."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

KNOWN_MINORS: Final = tuple(f"3.{minor}" for minor in range(10, 15))
_MINOR = re.compile(r"3\.[0-9]{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A minor version, and what says so."""

    minor: str
    because: str


def guess_python(
    folder: Path,
    *,
    hint: str | None,
    environments: Iterable[Path],
    default: str,
    notes: list[str],
) -> Guess:
    """Guess the minor version of Python that a project's model was made with.

    Files that name one come first, then environments, then what the model's libraries and
    ``requires-python`` leave; what those rule out is passed over with a note.

    Parameters
    ----------
    folder : Path
        The project's.
    hint : str, optional
        Specifier of the versions that the libraries recorded in the model run on.
    environments : iterable of Path
        Virtual environments that may be the project's own, likeliest first.
    default : str
        Minor version to take where nothing decides and it is allowed.
    notes : list of str
        Is told what contradicts.
    """
    allowed = KNOWN_MINORS if hint is None else tuple(allowed_minors(hint))
    if not allowed:
        notes.append(
            f"the model's libraries run on Python {hint}, and samovar on none of these: "
            "train it again with newer ones"
        )
        allowed = KNOWN_MINORS
    for guess in _guesses(folder, environments):
        if guess.minor in allowed:
            return guess
        notes.append(
            f"{guess.because} says Python {guess.minor}, which the model's libraries do not run "
            "on; it was passed over"
        )
    wanted = _requires_python(folder / "pyproject.toml")
    left = [minor for minor in allowed if wanted is None or minor in allowed_minors(wanted)]
    left = left or list(allowed)
    if len(left) == 1:
        because = "pyproject.toml" if wanted is not None else "the libraries of the model"
        return Guess(minor=left[0], because=because)
    if default in left:
        return Guess(minor=default, because="nothing says otherwise; it is samovar's own")
    return Guess(minor=left[-1], because="the newest that the libraries of the model run on")


def _guesses(folder: Path, environments: Iterable[Path]) -> Iterator[Guess]:
    readers: tuple[tuple[str, Callable[[Path], str | None]], ...] = (
        (".python-version", _first_minor),
        ("runtime.txt", _first_minor),
        ("environment.yml", _conda),
        ("environment.yaml", _conda),
        ("conda.yml", _conda),
        ("conda.yaml", _conda),
        ("Pipfile", _pipfile),
        ("Dockerfile", _dockerfile),
    )
    wanted = _requires_python(folder / "pyproject.toml")
    if wanted is not None and len(allowed_minors(wanted)) == 1:
        yield Guess(minor=allowed_minors(wanted)[0], because="pyproject.toml")
    for name, read in readers:
        path = folder / name
        minor = read(path) if path.is_file() else None
        if minor is not None:
            yield Guess(minor=minor, because=name)
    for environment in environments:
        minor = _pyvenv(environment / "pyvenv.cfg")
        if minor is not None:
            yield Guess(minor=minor, because=f"the virtual environment {environment.name}")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _first_minor(path: Path) -> str | None:
    found = _MINOR.search(_text(path))
    return found[0] if found else None


def _dockerfile(path: Path) -> str | None:
    found = re.search(
        r"^FROM\s+(?:--platform=\S+\s+)?\S*python:(3\.[0-9]+)", _text(path), re.M | re.I
    )
    return found[1] if found else None


def _conda(path: Path) -> str | None:
    found = re.search(r"^\s*-\s*python\s*=+\s*(3\.[0-9]+)", _text(path), re.M)
    return found[1] if found else None


def _pyvenv(path: Path) -> str | None:
    if not path.is_file():
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*(3\.[0-9]+)", _text(path), re.M)
    return found[1] if found else None


def _pipfile(path: Path) -> str | None:
    found = re.search(r"^python(?:_full)?_version\s*=\s*[\"'](3\.[0-9]+)", _text(path), re.M)
    return found[1] if found else None


def _requires_python(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        wanted = parse_toml(_text(path)).get("project", {}).get("requires-python")
    except (ValueError, AttributeError):
        return None
    return wanted if isinstance(wanted, str) and allowed_minors(wanted) else None


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
