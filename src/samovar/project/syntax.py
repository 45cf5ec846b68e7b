"""One Python file as a syntax tree: what its names are, and what its expressions say."""

from __future__ import annotations

import ast
import warnings
from importlib.util import decode_source
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 2 * 1024 * 1024
_LONGEST_PATH: Final = 4096
_JOINERS: Final = frozenset({"join", "joinpath"})
_PATHS: Final = frozenset({"Path", "PurePath", "PurePosixPath", "str", "abspath", "fspath"})


class UnreadableSourceError(Exception):
    """A file is no Python that can be read; the message says why, in a few words."""


class Module:
    """A file's syntax tree.

    Parameters
    ----------
    name : str
        As it is imported from the project's folder: ``package.module``.
    source : bytes
        Its content, in whatever encoding it declares.

    Raises
    ------
    UnreadableSourceError
        Where it is no Python.
    """

    def __init__(self, name: str, source: bytes) -> None:
        self.name = name
        self.tree = _parse(source)
        self.imported = dict(_imported(self.tree))
        self._values: dict[str, ast.expr] = {}
        self._paths: dict[str, str | None] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self._values[target.id] = node.value
            elif (
                isinstance(node, (ast.AnnAssign, ast.NamedExpr))
                and node.value is not None
                and isinstance(node.target, ast.Name)
            ):
                self._values[node.target.id] = node.value

    def value_of(self, node: ast.expr) -> ast.expr:
        """Give what was assigned to a name, else the expression itself."""
        return self._values.get(node.id, node) if isinstance(node, ast.Name) else node

    def dotted(self, node: ast.expr) -> str:
        """Give the full name that an expression means: ``F`` is ``flask.Flask``.

        Empty where it is no name.
        """
        if isinstance(node, ast.Attribute):
            front = self.dotted(node.value)
            return f"{front}.{node.attr}" if front else node.attr
        return self.imported.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def path(self, node: ast.AST) -> str | None:
        """Give the end of a path that an expression makes, as far back as it is known.

        ``HERE / "models" / "model.pkl"`` is ``models/model.pkl``. None where nothing is known.
        """
        return self._path(node, 0)

    def paths(self) -> Iterator[str]:
        """Give every path that the file names."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            path = self.path(node) if isinstance(node, ast.expr) else None
            if path is None:
                waiting += ast.iter_child_nodes(node)
            elif "." in path and "\n" not in path:
                yield path

    def _path(self, node: ast.AST, depth: int) -> str | None:
        if depth > 20:
            return None
        if isinstance(node, ast.Constant):
            return node.value.replace("\\", "/") if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self._path_of_name(node.id, depth)
        if isinstance(node, ast.JoinedStr):
            last = node.values[-1] if node.values else None
            end = self._path(last, depth + 1) if isinstance(last, ast.Constant) else None
            return end.lstrip("/") if end and len(node.values) > 1 else end
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
            slash = "/" if isinstance(node.op, ast.Div) else ""
            return _joined([self._path(node.left, depth + 1), self._path(node.right, depth + 1)],
                           slash)  # fmt: skip
        if isinstance(node, ast.Call):
            last_name = self.dotted(node.func).rpartition(".")[2]
            if last_name in _JOINERS | _PATHS and node.args:
                return _joined([self._path(one, depth + 1) for one in node.args], "/")
        return None

    def _path_of_name(self, name: str, depth: int) -> str | None:
        """Look a name up once; one that means itself means nothing."""
        if name not in self._paths:
            self._paths[name] = None
            value = self._values.get(name)
            self._paths[name] = None if value is None else self._path(value, depth + 1)
        return self._paths[name]


def constant(node: ast.AST) -> Any:
    """Evaluate an expression of literals; None where it is none."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _joined(parts: list[str | None], slash: str) -> str | None:
    """Join what follows the last part that is not known."""
    if not parts or parts[-1] is None:
        return None
    known: list[str] = []
    for part in parts:
        known = [] if part is None else [*known, part]
    text = slash.join(part.rstrip("/") if slash else part for part in known)
    if len(text) > _LONGEST_PATH:
        return None
    return text.lstrip("/") if len(known) < len(parts) else text


def _parse(source: bytes) -> ast.Module:
    if len(source) > MAX_BYTES:
        raise UnreadableSourceError("it is too large to be read")
    try:
        with warnings.catch_warnings():
            # What a compiler would warn of in the user's code is not ours to say.
            warnings.simplefilter("ignore")
            return ast.parse(decode_source(source))
    except UnicodeDecodeError as error:
        raise UnreadableSourceError(f"byte {error.start} is not {error.encoding}") from error
    except SyntaxError as error:
        place = f" in line {error.lineno}" if error.lineno else ""
        raise UnreadableSourceError(f"{error.msg}{place}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableSourceError(str(error) or "it is nested too deeply") from error


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname or top), (alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
