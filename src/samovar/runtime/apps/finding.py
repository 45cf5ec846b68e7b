"""Import the application that the project names and find out what it speaks."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from samovar.errors import InvalidProject, ScriptFailed
from samovar.runtime.predictor import own_words


def load_application(reference: str) -> Any:
    """Import ``module:object``.

    Parameters
    ----------
    reference : str
        As samovar.toml has it; the object may be an attribute path, or a function without
        arguments that makes the application.

    Raises
    ------
    InvalidProject
        Where there is no such object.
    ScriptFailed
        With the module's own words, where it raises.
    """
    module_name, _, path = reference.partition(":")
    try:
        found: Any = import_module(module_name)
    except Exception as error:
        raise ScriptFailed(
            f"The application's module {module_name!r} cannot be imported.",
            why=own_words(error),
            hint="Does the lock hold what it imports? Are its files in the bundle?",
            code="app_import",
        ) from error
    for name in (path or "app").removesuffix("()").split("."):
        if not hasattr(found, name):
            raise InvalidProject(
                f"The module {module_name!r} has no {path!r}.",
                hint='[service] app = "module:object" names the application.',
                code="no_app",
            )
        found = getattr(found, name)
    return _made(found, reference)


def is_asgi(application: Any) -> bool:
    """Whether an application is awaited (ASGI 3) and not called (WSGI)."""
    call = getattr(application, "__call__", None)  # noqa: B004 - the method itself is looked at
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(call)


def _made(found: Any, reference: str) -> Any:
    if not callable(found):
        raise InvalidProject(
            f"{reference!r} is no application: it cannot be called.",
            hint='[service] app = "module:object" names a WSGI or ASGI application.',
            code="no_app",
        )
    if not inspect.isfunction(found) or is_asgi(found):
        return found
    needed = [
        parameter
        for parameter in inspect.signature(found).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    return found if needed else found()
