"""Read from a project's code which names of libraries it uses, and which arguments it gives."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What code takes from libraries.

    Parameters
    ----------
    direct : mapping of str to frozenset of str
        By top-level module, last parts of what is imported by name or taken from the module:
        ``{"sklearn": {"KMeans"}}``.
    methods : frozenset of str
        Names that are taken from anything else: ``fillna``.
    given : mapping of str to frozenset of str
        Arguments that every call of a name gives by keyword; none where one passes ``**``.
    """

    direct: Mapping[str, frozenset[str]]
    methods: frozenset[str]
    given: Mapping[str, frozenset[str]]

    def of_library(self, modules: Iterable[str]) -> frozenset[str]:
        """Give what is taken directly from a library that has these top-level modules."""
        return frozenset().union(*(self.direct.get(module, frozenset()) for module in modules))

    @classmethod
    def of(cls, files: Iterable[bytes]) -> Usage:
        """Read source files; one that does not parse uses nothing."""
        reader = _Reader()
        for data in files:
            try:
                tree = ast.parse(data)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            reader.read(tree)
        taken = frozenset().union(*reader.direct.values())
        return cls(
            direct={module: frozenset(names) for module, names in reader.direct.items()},
            methods=frozenset(reader.methods - taken),
            given={name: frozenset(words) for name, words in reader.given.items()},
        )


class _Reader:
    def __init__(self) -> None:
        self.direct: dict[str, set[str]] = {}
        self.methods: set[str] = set()
        self.given: dict[str, set[str]] = {}
        self._modules: dict[str, str] = {}

    def read(self, tree: ast.AST) -> None:
        nodes = list(ast.walk(tree))
        for node in nodes:
            self._import(node)
        for node in nodes:
            if isinstance(node, ast.Attribute):
                module = self._modules.get(_root(node) or "")
                (self.methods if module is None else self.direct[module]).add(node.attr)
            elif isinstance(node, ast.Call):
                self._call(node)

    def _import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                self.direct.setdefault(top, set())
                self._modules[alias.asname or top] = top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            top = node.module.partition(".")[0]
            for alias in node.names:
                self.direct.setdefault(top, set()).add(alias.name)
                self._modules[alias.asname or alias.name] = top

    def _call(self, node: ast.Call) -> None:
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
        if name is None:
            return
        words = {word.arg for word in node.keywords if word.arg is not None}
        self.given[name] = words & self.given.get(name, words)


def _root(node: ast.expr) -> str | None:
    """Give the name at the beginning of a dotted one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
