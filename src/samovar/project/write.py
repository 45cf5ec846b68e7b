"""Write ``samovar.toml`` with comments that teach, and the line of ``.gitignore``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from pathlib import Path

IGNORED: Final = "*venv/"
_TEMPLATE: Final = """\
# What samovar packs, serves and proves. Every key: docs/reference/samovar-toml.md

[project]
name = {name}
version = {version}
python = {python}  # the minor version that the model was made with

[model]
path = {model}
method = "predict"  # or predict_proba, decision_function, transform, score_samples
# trusted = ["my_package.steps.Clip"]  # exact names of your own classes in the model file

[examples]
# Reference inputs: rows that the model takes, edge cases too. Their predictions are recorded.
{examples}

[service]
{app}
message = {message}  # what GET / answers
# code = ["server.py"]  # what goes along; by default what git would take, less data and tests

[environment]
requirements = {requirements}
platforms = ["linux/amd64", "linux/arm64", "macos/arm64", "windows/amd64"]

# [train]  # 'samovar train' runs and records this
# command = "python train.py"
# code = ["train.py"]
# data = ["data/train.csv"]
# metrics = "out.json"
# predictions = "preds.npy"
# outputs = [{model}]
"""


def render(existing: str | None, values: dict[str, Any]) -> str:
    """Give the text of ``samovar.toml``.

    Parameters
    ----------
    existing : str, optional
        What a user has: only keys that it lacks are added; comments and order stay.
    values : dict
        ``name``, ``version``, ``python``, ``model``, ``app``, ``message``, ``requirements``,
        ``examples``.
    """
    if existing is None:
        return _new(values)
    import tomlkit

    document = tomlkit.parse(existing)
    wanted = {
        "project": {"name": values["name"], "python": values["python"]},
        "model": {"path": values["model"]},
        "examples": {"path": values["examples"]},
        "service": {"app": values["app"]},
        "environment": {"requirements": values["requirements"]},
    }
    for name, keys in wanted.items():
        missing = {
            key: value
            for key, value in keys.items()
            if value is not None and key not in document.get(name, {})
        }
        if missing and name not in document:
            document[name] = tomlkit.table()
        for key, value in missing.items():
            document[name][key] = value
    return tomlkit.dumps(document)


def _new(values: dict[str, Any]) -> str:
    examples = values["examples"]
    app = values["app"]
    return _TEMPLATE.format(
        name=_quoted(values["name"]),
        version=_quoted(values["version"]),
        python=_quoted(values["python"]),
        model=_quoted(values["model"]),
        examples=(
            '# path = "examples.json"  # write a few rows there' if examples is None
            else f"path = {_quoted(examples)}"
        ),
        app=(
            '# app = "server:app"  # your own WSGI or ASGI application' if app is None
            else f"app = {_quoted(app)}  # your own application: samovar serve --app"
        ),
        message=_quoted(values["message"] or "Server is running!"),
        requirements="[" + ", ".join(_quoted(one) for one in values["requirements"]) + "]",
    )  # fmt: skip


def _quoted(text: str) -> str:
    import tomlkit

    return tomlkit.item(text).as_string()


def add_to_gitignore(folder: Path) -> bool:
    """Let git ignore virtual environments; every line that is there stays.

    Returns
    -------
    bool
        Whether the file was changed.
    """
    path = folder / ".gitignore"
    old = path.read_bytes() if path.is_file() else b""
    if IGNORED.encode() in [line.strip() for line in old.splitlines()]:
        return False
    ending = b"\r\n" if b"\r\n" in old else b"\n"
    separator = b"" if not old or old.endswith(b"\n") else ending
    write_file(path, old + separator + IGNORED.encode() + ending)
    return True
