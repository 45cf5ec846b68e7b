"""Find the rows that a client posts, in its syntax tree."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any, Final

from samovar.project.syntax import constant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samovar.project.syntax import Module

_MAX_VALUES: Final = 100_000
_POSTERS: Final = frozenset({"post", "request", "put", "Request", "urlopen"})
_WRAPPERS: Final = frozenset(
    {"data", "row", "rows", "features", "input", "inputs", "instances", "instance", "values", "x",
     "x_test", "records", "sample", "samples", "dataframe_records"}
)  # fmt: skip


def find_posted(module: Module) -> Iterator[Any]:
    """Give every body that a client posts as JSON: ``json=[...]``, ``data=json.dumps([...])``."""
    loops = {
        node.target.id: node.iter
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name)
    }
    values = _Values(module)
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        if module.dotted(node.func).rpartition(".")[2] not in _POSTERS:
            continue
        for keyword in node.keywords:
            body = _body(keyword, module)
            if body is None:
                continue
            if isinstance(body, ast.Name) and body.id in loops:
                items = values.of(loops[body.id])
                yield from items if isinstance(items, (list, tuple)) else ()
            else:
                value = values.of(body)
                if isinstance(value, (list, tuple, dict)) and value:
                    yield value


def rows_of(bodies: Iterable[Any], *, texts: bool) -> list[Any]:
    """Give the rows in what was posted: all of one kind and width, each but once.

    Parameters
    ----------
    bodies : iterable
        What a client posts: one row, a record, or a list of them.
    texts : bool
        Whether the model takes texts, so that a string is a row.
    """
    rows: list[Any] = []
    for body in bodies:
        rows += _rows(_unwrapped(body), texts=texts)
    kept: dict[str, Any] = {}
    for row in rows:
        written = _written(row)
        if written is not None and _shape(row) == _shape(next(iter(kept.values()), row)):
            kept.setdefault(written, row)
    return [json.loads(written) for written in kept]


def _body(keyword: ast.keyword, module: Module) -> ast.expr | None:
    """Give the expression that becomes the JSON of a request."""
    if keyword.arg == "json":
        return keyword.value
    if keyword.arg not in {"data", "content"}:
        return None
    value = module.value_of(keyword.value)
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "encode"
    ):
        value = module.value_of(value.func.value)
    if isinstance(value, ast.Call) and module.dotted(value.func).endswith("dumps") and value.args:
        return value.args[0]
    return None


class _TooMuchError(Exception):
    """What was written expands to more than anybody posts."""


class _Values:
    """Evaluates literals, with names in place of literals looked up one by one."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._left = _MAX_VALUES

    def of(self, node: ast.expr) -> Any:
        """Give the value of an expression; None where it is not known."""
        try:
            return self._value(node)
        except (_TooMuchError, RecursionError):
            return None

    def _value(self, node: ast.expr) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError
        node = self._module.value_of(node)
        if isinstance(node, ast.Call) and self._module.dotted(node.func) == "dict":
            if node.args or any(one.arg is None for one in node.keywords):
                return None
            values = self._each([one.value for one in node.keywords])
            return None if values is None else dict(zip(_names(node), values, strict=True))
        if isinstance(node, (ast.List, ast.Tuple)):
            return self._each(node.elts)
        if isinstance(node, ast.Dict) and None not in node.keys:
            keys = [constant(key) for key in node.keys if key is not None]
            values = self._each(node.values)
            is_record = values is not None and all(isinstance(key, str) for key in keys)
            return dict(zip(keys, values or (), strict=True)) if is_record else None
        return constant(node)

    def _each(self, nodes: Iterable[ast.expr]) -> list[Any] | None:
        """Evaluate each; None where one is not known, which ``None`` itself is."""
        values = []
        for node in nodes:
            value = self._value(node)
            if value is None and not (isinstance(node, ast.Constant) and node.value is None):
                return None
            values.append(value)
        return values


def _names(call: ast.Call) -> list[str]:
    return [one.arg for one in call.keywords if one.arg is not None]


def _unwrapped(body: Any) -> Any:
    """Take the rows out of ``{"data": [...]}``."""
    if isinstance(body, dict) and len(body) == 1:
        name, inside = next(iter(body.items()))
        if isinstance(inside, (list, dict)) and name.lower() in _WRAPPERS:
            return inside
    return body


def _rows(body: Any, *, texts: bool) -> list[Any]:
    """Tell one row from a list of rows."""
    if texts:
        if isinstance(body, dict) and len(body) == 1:
            body = list(body.values())
        if isinstance(body, str):
            body = [body]
        if isinstance(body, list) and all(isinstance(one, str) for one in body):
            return body
    if isinstance(body, list) and all(isinstance(row, (list, dict)) for row in body):
        return body
    return [body]


def _shape(row: Any) -> Any:
    if isinstance(row, dict):
        return frozenset(row)
    return len(row) if isinstance(row, list) else type(row)


def _written(row: Any) -> str | None:
    """Write a row as JSON, or None where it is no row that JSON can say."""
    cells = row.values() if isinstance(row, dict) else row if isinstance(row, list) else [row]
    if not row or any(isinstance(cell, dict) for cell in cells):
        return None
    try:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError):
        return None
    return text
