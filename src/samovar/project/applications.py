"""Find WSGI and ASGI applications in a syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.project.syntax import constant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samovar.project.syntax import Module

_CLASSES: Final = frozenset(
    {"Flask", "APIFlask", "OpenAPI", "FastAPI", "Starlette", "Quart", "Sanic", "Litestar", "Bottle",
     "get_wsgi_application", "get_asgi_application", "make_wsgi_app"}
)  # fmt: skip
_EXACT: Final = frozenset(
    {"falcon.App", "falcon.API", "falcon.asgi.App", "bottle.default_app", "bottle.app",
     "connexion.FlaskApp", "connexion.AsyncApp", "connexion.App", "responder.API",
     "blacksheep.Application"}
)  # fmt: skip
_WITH_SERVER: Final = "dash.Dash"
_FACTORIES: Final = frozenset({"create_app", "make_app", "get_app", "build_app"})
_ROUTES: Final = frozenset({"route", "get"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A WSGI or ASGI application.

    Parameters
    ----------
    name : str
        ``module:variable``, or ``module:factory()``.
    file : str
        Where it is.
    message : str or None
        The text that its ``/`` answers, where it is a constant.
    """

    name: str
    file: str
    message: str | None


def find_applications(module: Module, file: str) -> list[Application]:
    """Give the applications of a module; its factories only where it has no variable."""
    functions = [node for node in module.tree.body if isinstance(node, ast.FunctionDef)]
    factories = [node.name for node in functions if _is_factory(node, module)]
    found = list(dict.fromkeys(_variables(module, frozenset(factories))))
    if not found:
        callable_ = [node.name for node in functions if not _needs_arguments(node)]
        found = [f"{name}()" for name in factories if name in callable_]
    message = _root_text(module)
    return [Application(name=f"{module.name}:{name}", file=file, message=message) for name in found]


def _variables(module: Module, factories: frozenset[str]) -> Iterator[str]:
    for statement in _of_import(module.tree.body):
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        value = statement.value
        if isinstance(value, ast.Call):
            if _makes_application(value, module, factories):
                yield from names
            elif module.dotted(value.func) == _WITH_SERVER:
                yield from (f"{name}.server" for name in names)


def _of_import(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Give the statements that an import executes, or may execute, in the module itself."""
    for statement in statements:
        yield statement
        if isinstance(statement, (ast.If, ast.Try, ast.With)):
            if isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
                continue
            for name in ("body", "orelse", "finalbody"):
                yield from _of_import(getattr(statement, name, []))


def _makes_application(call: ast.Call, module: Module, factories: frozenset[str]) -> bool:
    dotted = module.dotted(call.func)
    last = dotted.rpartition(".")[2]
    return last in _CLASSES | _FACTORIES or dotted in _EXACT or dotted in factories


def _is_factory(function: ast.FunctionDef, module: Module) -> bool:
    """Say whether a function makes an application and returns it, or is called as such are."""
    if function.name in _FACTORIES:
        return True
    made = set()
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and _makes_application(node.value, module, frozenset())
        ):
            made |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            value = node.value
            if isinstance(value, ast.Name) and value.id in made:
                return True
            if isinstance(value, ast.Call) and _makes_application(value, module, frozenset()):
                return True
    return False


def _needs_arguments(function: ast.FunctionDef) -> bool:
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional > len(arguments.defaults) or None in arguments.kw_defaults


def _root_text(module: Module) -> str | None:
    """Find the constant that the route ``/`` returns."""
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(
            _is_root(decorator, module) for decorator in node.decorator_list
        ):
            for statement in ast.walk(node):
                if isinstance(statement, ast.Return) and statement.value is not None:
                    text = constant(module.value_of(statement.value))
                    if isinstance(text, str):
                        return text
    return None


def _is_root(decorator: ast.expr, module: Module) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and module.dotted(decorator.func).rpartition(".")[2] in _ROUTES
        and bool(decorator.args)
        and constant(decorator.args[0]) == "/"
    )
