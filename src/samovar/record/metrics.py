"""Read what a training script measured: numbers, nested names joined by dots."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.errors import ScriptFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The numbers of a metrics file.

    Parameters
    ----------
    values : dict of str to float, int or None
        By dotted name, sorted; None for a metric that is not finite.
    warnings : tuple of str
        What was not a number, or not finite.
    """

    values: dict[str, float | int | None]
    warnings: tuple[str, ...]


def read_metrics(path: Path, shown: str) -> Metrics:
    """Read a metrics file: JSON, YAML or TOML, an object of numbers and objects.

    Parameters
    ----------
    path : Path
        The file.
    shown : str
        How messages name it.

    Raises
    ------
    ScriptFailed
        Where it is absent, is not an object, or has no number.
    """
    if not path.is_file():
        raise ScriptFailed(
            f"The script ended well, but it wrote no metrics to {shown}.",
            hint="Write a JSON object of numbers there, or correct [train] metrics.",
            code="no_metrics",
        )
    try:
        document = read_document(path)
    except ValueError as error:
        raise ScriptFailed(
            f"The metrics in {shown} cannot be read.",
            why=str(error),
            hint='Write for instance {"accuracy": 0.81}, and close the file.',
            code="no_metrics",
        ) from error
    if not isinstance(document, dict):
        raise ScriptFailed(
            f"The metrics in {shown} are not an object of names and numbers.",
            hint='Write for instance {"accuracy": 0.81}.',
            code="no_metrics",
        )
    values: dict[str, float | int | None] = {}
    warnings: list[str] = []
    for name, value in flatten(document):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            if value is not None:
                warnings.append(f"{name} in {shown} is not a number and is not a metric")
                continue
            value = math.nan
        if isinstance(value, float) and not math.isfinite(value):
            warnings.append(f"the metric {name} is {value}, recorded as null")
            values[name] = None
        else:
            values[name] = value
    if not values:
        raise ScriptFailed(
            f"{shown} has no metric: no name in it has a number.",
            hint='Write for instance {"accuracy": 0.81}.',
            code="no_metrics",
        )
    return Metrics(values=dict(sorted(values.items())), warnings=tuple(warnings))


def read_document(path: Path) -> Any:
    """Read JSON (NaN and infinities as Python writes them), YAML or TOML by the file's ending.

    Raises
    ------
    ValueError
        Saying what is malformed.
    """
    text = path.read_text(encoding="utf-8-sig")
    ending = path.suffix.lower()
    if ending in {".yaml", ".yml"}:
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    if ending == ".toml":
        import tomlkit
        from tomlkit.exceptions import ParseError

        try:
            return tomlkit.parse(text).unwrap()
        except ParseError as error:
            raise ValueError(str(error)) from error
    return json.loads(text)


def flatten(document: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give the leaves of nested objects and lists with their dotted names.

    Examples
    --------
    >>> dict(flatten({"a": {"b": 1, "c": [2, 3]}}))
    {'a.b': 1, 'a.c.0': 2, 'a.c.1': 3}
    """
    if isinstance(document, dict):
        entries = [(str(key), value) for key, value in document.items()]
    else:
        entries = [(str(position), value) for position, value in enumerate(document)]
    for key, value in entries:
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, (dict, list)) and value:
            yield from flatten(value, name)
        elif not isinstance(value, (dict, list)):
            yield name, value
