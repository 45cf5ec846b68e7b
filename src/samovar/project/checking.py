"""Check the sections of ``samovar.toml``: keys, types, paths; say where, and what is near."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from samovar.core.toml import parse_toml
from samovar.errors import InvalidProject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE: Final = "samovar.toml"
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\"']?)([A-Za-z0-9_-]+)\1\s*[=.]")
_PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)")


def parse(text: str) -> dict[str, Any]:
    """Read the text of a ``samovar.toml``.

    Raises
    ------
    InvalidProject
        Where it is not TOML, with the place.
    """
    try:
        return parse_toml(text)
    except (ValueError, RecursionError) as error:
        place = _PLACE.search(str(error))
        raise InvalidProject(
            f"{FILE} is not TOML.",
            why=str(error) if isinstance(error, ValueError) else "It is nested too deeply.",
            hint=f"Correct {place[1]}." if place else "Correct it or remove it.",
        ) from error


@dataclass(frozen=True, slots=True)
class Complaints:
    """Makes errors that name the key, its line, and the nearest known key.

    Parameters
    ----------
    text : str
        Of the file.
    """

    text: str

    def about(
        self, key: str, what: str, *, got: str | None = None, known: Iterable[str] = ()
    ) -> InvalidProject:
        """Give the error about a dotted key.

        Parameters
        ----------
        key : str
            ``section.key``, or a section.
        what : str
            What is wrong with it.
        got, known
            What was written, and what might have been meant.
        """
        line = _line_of(self.text, key)
        near = nearest(got, known) if got is not None else None
        return InvalidProject(
            f"{FILE}, line {line}: {what}." if line else f"{FILE}: {what}.",
            hint=f"Did you mean {near!r}?" if near else "See docs/reference/samovar-toml.md.",
        )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that is most like another, if one is.

    Examples
    --------
    >>> nearest("methd", ["path", "method"])
    'method'
    """
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1, 0.5)
    return near[0] if near else None


def check_keys(
    kind: type, name: str, values: Any, paths: frozenset[str], complaints: Complaints
) -> dict[str, Any]:
    """Check the keys that a section has, and give their values as the section's class takes them.

    Parameters
    ----------
    kind : type
        The section's dataclass; its fields are ``str`` or ``tuple`` of them.
    name : str
        Of the section.
    values : object
        What TOML gave; must be a table.
    paths : frozenset of str
        Dotted keys whose values must stay within the project.
    complaints : Complaints
        Makes the errors.

    Raises
    ------
    InvalidProject
        Where a key is unknown, or a value of the wrong type.
    """
    if not isinstance(values, dict):
        raise complaints.about(name, f"{name} is not a section, write [{name}]")
    known = {one.name: one for one in fields(kind)}
    for key in values:
        if key not in known:
            raise complaints.about(
                f"{name}.{key}", f"{name}.{key} is not a key", got=key, known=known
            )
    return {
        key: _value(f"{name}.{key}", value, str(known[key].type), paths, complaints)
        for key, value in values.items()
    }


def missing_keys(kind: type, values: Mapping[str, Any]) -> list[str]:
    """List the keys that a section must have and lacks."""
    return [
        one.name
        for one in fields(kind)
        if one.name not in values and one.default is MISSING and one.default_factory is MISSING
    ]


def _value(
    key: str, value: Any, declared: str, paths: frozenset[str], complaints: Complaints
) -> Any:
    if declared.startswith("tuple"):
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise complaints.about(key, f"{key} is not a list of strings")
        return tuple(_path(key, item, paths, complaints) for item in value)
    if not isinstance(value, str):
        raise complaints.about(key, f"{key} is not a string, write it in quotes")
    return _path(key, value, paths, complaints)


def _path(key: str, value: str, paths: frozenset[str], complaints: Complaints) -> str:
    if key not in paths:
        return value
    path = PurePosixPath(value.replace("\\", "/"))
    if (
        not value
        or "\0" in value
        or path.is_absolute()
        or ".." in path.parts
        or (path.parts and ":" in path.parts[0])
    ):
        raise complaints.about(key, f"{key} is {value!r}, which does not stay within the project")
    return str(path)


def _line_of(text: str, key: str) -> int | None:
    """Find the line of a dotted key, or of its section."""
    is_nested = key.count(".") > 1
    section, _, name = key.rpartition(".") if is_nested else key.partition(".")
    current, of_section = "", None
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            current = header[1].replace('"', "").replace("'", "")
            if is_nested and current == key:
                return number
        elif found := _KEY.match(line):
            if current == section and found[2] == name:
                return number
            if not current and found[2] == section:
                of_section = of_section or number
        if current == section and of_section is None:
            of_section = number
    # A table within a line stands where its name does.
    return _line_of(text, section) if is_nested and of_section is None else of_section
