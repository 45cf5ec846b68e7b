"""Say which lines of a project's code its command can reach: the others are unlikely causes.

A function runs only where something that runs names it. What is reached by names that are made up
while running is not seen, so code that does that counts as reached whole.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DYNAMIC: Final = frozenset({"getattr", "globals", "eval", "exec", "__import__", "import_module"})
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Code that runs as soon as its name is used: a function's body, or a module's top."""

    path: str
    name: str
    first: int
    last: int
    uses: frozenset[str]


def idle_lines(files: Mapping[str, bytes], command: str) -> dict[str, frozenset[int]]:
    """Give the lines, from 1, that the command does not reach, by path.

    Parameters
    ----------
    files : mapping of str to bytes
        The project's code.
    command : str
        What is run; where it names none of the files, all lines count as reached.
    """
    words = set(re.split(r"[\s\"']+", command))
    started = {path for path in files if path in words or f"./{path}" in words}
    units: list[_Unit] = []
    for path, data in files.items():
        if path.endswith(".py"):
            try:
                units += _units(path, ast.parse(data))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return {}
    reached = [unit for unit in units if not unit.name and unit.path in started]
    if not reached:
        return {}
    used: set[str] = set()
    waiting = [unit for unit in units if unit not in reached]
    new = list(reached)
    while new:
        used.update(*(unit.uses for unit in new))
        new = [unit for unit in waiting if _is_called(unit, used)]
        waiting = [unit for unit in waiting if unit not in new]
    if used & _DYNAMIC:
        return {}
    idle: dict[str, set[int]] = {}
    for unit in waiting:
        idle.setdefault(unit.path, set()).update(range(unit.first, unit.last + 1))
    return {path: frozenset(lines) for path, lines in idle.items()}


def _units(path: str, tree: ast.Module) -> Iterator[_Unit]:
    """Give a module's top, then each of its functions and methods; decorated ones belong around."""
    functions = [
        node
        for around in ast.walk(tree)
        if isinstance(around, (ast.Module, ast.ClassDef))
        for node in around.body
        if isinstance(node, _FUNCTIONS) and not node.decorator_list
    ]
    for node in functions:
        first = node.body[0].lineno
        yield _Unit(path, node.name, first, node.end_lineno or first, _names(node.body))
    kept = {id(node) for node in functions}
    last = max((node.end_lineno or 0 for node in tree.body), default=0)
    yield _Unit(path, "", 1, last, _names([tree], without=kept))


def _names(
    nodes: list[ast.stmt] | list[ast.Module], without: set[int] | None = None
) -> frozenset[str]:
    """Give every name that code mentions; of functions left out, only their defaults."""
    names: set[str] = set()
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop()
        if without and id(node) in without and isinstance(node, _FUNCTIONS):
            waiting.append(node.args)
            continue
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.update(node.name.split("."))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(node.module.split("."))
        waiting += ast.iter_child_nodes(node)
    return frozenset(names)


def _is_called(unit: _Unit, used: set[str]) -> bool:
    if unit.name:
        return unit.name in used or (unit.name.startswith("__") and unit.name.endswith("__"))
    parts = unit.path.removesuffix(".py").split("/")
    module = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    return module in used
