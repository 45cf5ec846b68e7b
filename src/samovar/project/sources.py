"""Read a project's Python files as syntax trees; nothing of them is imported or run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_APPLICATIONS: Final = frozenset(
    {"Flask", "FastAPI", "Starlette", "Quart", "Sanic", "Litestar", "Bottle", "Falcon", "APIFlask"}
)
_FACTORIES: Final = ("create_app", "make_app", "get_app", "build_app")
_LOADERS: Final = frozenset({"open", "load", "load_model", "Path", "read_bytes"})
_POSTERS: Final = frozenset({"post", "request", "put"})
_MAX_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A WSGI or ASGI application.

    Parameters
    ----------
    name : str
        ``module:variable``, or ``module:factory()``.
    message : str or None
        The text that its ``/`` answers, where it is a constant.
    """

    name: str
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the Python files say.

    Parameters
    ----------
    applications : tuple of Application
        In the order of likelihood.
    opened : tuple of str
        Paths that are opened or loaded, as written.
    rows : tuple
        Rows that a client posts.
    imports : tuple of str
        Top-level modules that are imported, sorted.
    unreadable : tuple of str
        Files that are no Python, with the reason.
    """

    applications: tuple[Application, ...]
    opened: tuple[str, ...]
    rows: tuple[Any, ...]
    imports: tuple[str, ...]
    unreadable: tuple[str, ...]


def read_sources(folder: Path, paths: Iterable[str]) -> Sources:
    """Read the Python files among a project's files.

    Parameters
    ----------
    folder : Path
        The project's.
    paths : iterable of str
        Relative to it, with ``/``.
    """
    applications: list[Application] = []
    opened: list[str] = []
    rows: list[Any] = []
    imports: set[str] = set()
    unreadable: list[str] = []
    for path in sorted(paths, key=_likelihood):
        if not path.endswith(".py"):
            continue
        try:
            tree = _parse(folder / path)
        except (SyntaxError, ValueError, RecursionError) as error:
            unreadable.append(
                f"{path}: {str(error).splitlines()[0] if str(error) else 'no Python'}"
            )
            continue
        applications += _applications(tree, _module(path))
        opened += _opened(tree)
        rows += _posted(tree)
        imports |= set(_imports(tree))
    local = {PurePosixPath(path).parts[0].removesuffix(".py") for path in paths}
    return Sources(
        applications=tuple(applications),
        opened=tuple(dict.fromkeys(opened)),
        rows=tuple(rows),
        imports=tuple(sorted(imports - local)),
        unreadable=tuple(unreadable),
    )


def _likelihood(path: str) -> tuple[int, int, str]:
    """Put files first that are called as a service usually is, then shallow ones."""
    name = PurePosixPath(path).name
    usual = ("server.py", "app.py", "main.py", "wsgi.py", "asgi.py", "api.py", "service.py")
    return (usual.index(name) if name in usual else len(usual), path.count("/"), path)


def _parse(path: Path) -> ast.Module:
    data = path.read_bytes()
    if len(data) > _MAX_BYTES:
        raise ValueError("it is too large to be read")
    return ast.parse(data)


def _module(path: str) -> str:
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _applications(tree: ast.Module, module: str) -> Iterator[Application]:
    message = _root_text(tree)
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        value = node.value
        if isinstance(value, ast.Call) and (
            _last(value.func) in _APPLICATIONS or _last(value.func) in _FACTORIES
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield Application(name=f"{module}:{target.id}", message=message)
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef)
            and node.name in _FACTORIES
            and not _needs_arguments(node)
        ):
            yield Application(name=f"{module}:{node.name}()", message=message)


def _needs_arguments(node: ast.FunctionDef) -> bool:
    return len(node.args.args) > len(node.args.defaults)


def _root_text(tree: ast.Module) -> str | None:
    """Find the constant that the route ``/`` returns."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and _last(decorator.func) in {"route", "get"}
                and decorator.args
                and _constant(decorator.args[0]) == "/"
            ):
                for statement in ast.walk(node):
                    if isinstance(statement, ast.Return) and statement.value is not None:
                        text = _constant(statement.value)
                        if isinstance(text, str):
                            return text
    return None


def _opened(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last(node.func) in _LOADERS:
            for argument in node.args[:1]:
                text = _constant(argument)
                if isinstance(text, str) and text:
                    yield text


def _posted(tree: ast.Module) -> Iterator[Any]:
    """Find what a client posts: ``json=[...]``, or ``data=json.dumps([...])``."""
    names = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and _last(node.func) in _POSTERS):
            continue
        for keyword in node.keywords:
            value = keyword.value
            if (
                keyword.arg == "data"
                and isinstance(value, ast.Call)
                and _last(value.func) == "dumps"
            ):
                value = value.args[0] if value.args else value
            elif keyword.arg != "json":
                continue
            if isinstance(value, ast.Name):
                value = names.get(value.id, value)
            row = _constant(value)
            if isinstance(row, (list, dict)) and row:
                yield row


def _constant(node: ast.AST) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
