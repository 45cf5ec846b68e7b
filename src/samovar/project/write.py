"""Write ``samovar.toml`` with comments that teach, and the line of ``.gitignore``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidProject
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from samovar.project.find import Training

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
# command = {command}
# code = [{script}]
# data = {data}
# params_env = "PARAMS"  # parameters as JSON in this variable; or params = "params.json", a file
# metrics = {metrics}  # numbers
# predictions = {predictions}  # on a fixed evaluation set
# outputs = [{model}]
"""
_ONE_LINE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is to stand in ``samovar.toml``; None where nothing is known."""

    name: str
    version: str
    python: str
    model: str
    app: str | None
    message: str | None
    requirements: tuple[str, ...]
    examples: str | None
    training: Training


def render(existing: str | None, answers: Answers, *, asked_for: frozenset[str]) -> str:
    """Give the text of ``samovar.toml``.

    Parameters
    ----------
    existing : str, optional
        What a user has: keys that it lacks are added; comments, order and line ends stay.
    answers : Answers
        What was found.
    asked_for : frozenset of str
        Dotted keys that are set even where they stand there already.
    """
    if existing is None:
        return _new(answers)
    ending = "\r\n" if "\r\n" in existing else "\n"
    return _completed(existing.replace("\r\n", "\n"), answers, asked_for).replace("\n", ending)


def _completed(existing: str, answers: Answers, asked_for: frozenset[str]) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    wanted: dict[str, dict[str, Any]] = {
        "project": {"name": answers.name, "python": answers.python},
        "model": {"path": answers.model},
        "examples": {"path": answers.examples},
        "service": {"app": answers.app},
        "environment": {"requirements": list(answers.requirements)},
    }
    try:
        document: Any = tomlkit.parse(existing)
        for section, keys in wanted.items():
            for key, value in keys.items():
                stands = key in document.get(section, {})
                if value is None or (stands and f"{section}.{key}" not in asked_for):
                    continue
                if stands and document[section][key] == value:
                    continue
                if section not in document:
                    document[section] = tomlkit.table()
                document[section][key] = value
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise InvalidProject(
            "samovar.toml cannot be added to.", why=str(error), hint="Write the missing keys."
        ) from error


def _new(answers: Answers) -> str:
    examples, app, training = answers.examples, answers.app, answers.training
    return _TEMPLATE.format(
        name=_quoted(answers.name),
        version=_quoted(answers.version),
        python=_quoted(answers.python),
        model=_quoted(answers.model),
        examples=(
            '# path = "examples.json"  # write a few rows there' if examples is None
            else f"path = {_quoted(examples)}"
        ),
        app=(
            '# app = "server:app"  # your own WSGI or ASGI application' if app is None
            else f"app = {_quoted(app)}  # your own application: samovar serve --app"
        ),
        message=_quoted(answers.message or "Server is running!"),
        requirements=_listed(answers.requirements),
        command=_quoted(f"python {training.script}"),
        script=_quoted(training.script),
        data="[" + ", ".join(_quoted(one) for one in training.data) + "]",
        metrics=_quoted(training.metrics),
        predictions=_quoted(training.predictions),
    )  # fmt: skip


def _listed(items: Iterable[str]) -> str:
    quoted = [_quoted(one) for one in items]
    if len(quoted) <= _ONE_LINE:
        return "[" + ", ".join(quoted) + "]"
    return "[\n" + "".join(f"  {one},\n" for one in quoted) + "]"


def _quoted(text: str) -> str:
    import tomlkit

    return tomlkit.item(text).as_string()


def ignores_environments(folder: Path) -> bool:
    """Say whether ``.gitignore`` lets git ignore virtual environments already.

    Raises
    ------
    InvalidProject
        Where ``.gitignore`` is no file of the project.
    """
    path = folder / ".gitignore"
    is_elsewhere = folder.resolve() not in path.resolve().parents
    if is_elsewhere or (path.exists() and not path.is_file()):
        raise InvalidProject(f"{path} is no file of the project.", hint="Remove or rename it.")
    lines = path.read_bytes().splitlines() if path.exists() else []
    return IGNORED.encode() in [line.strip() for line in lines]


def add_to_gitignore(folder: Path) -> None:
    """Let git ignore virtual environments; every line that is there stays, and a link a link."""
    path = (folder / ".gitignore").resolve()
    old = path.read_bytes() if path.is_file() else b""
    ending = b"\r\n" if b"\r\n" in old else b"\n"
    separator = b"" if not old or old.endswith(b"\n") else ending
    write_file(path, old + separator + IGNORED.encode() + ending)
