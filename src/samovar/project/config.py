"""``samovar.toml``: read it and check every key.

Keys are described in docs/reference/samovar-toml.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from samovar.core.reference import check_name
from samovar.errors import InvalidProject, InvalidReference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILE: Final = "samovar.toml"
METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
PLATFORMS: Final = ("linux/amd64", "linux/arm64", "macos/arm64", "windows/amd64")
_PYTHON = re.compile(r"3\.(?:[1-9][0-9]?)")
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSection:
    """``[project]``: name, version, and the minor version of Python the model was made with."""

    name: str
    version: str = "0.1.0"
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSection:
    """``[model]``: the model file, how it is called, and which names it may use besides."""

    path: str
    method: str = "predict"
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesSection:
    """``[examples]``: reference inputs; None where the project has none yet."""

    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSection:
    """``[service]``: the project's own application, the text of ``GET /``, what goes along."""

    app: str | None = None
    message: str = "Server is running!"
    code: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSection:
    """``[environment]``: requirement files or specifiers, and the platforms to lock for."""

    requirements: tuple[str, ...] = ("requirements.txt",)
    platforms: tuple[str, ...] = PLATFORMS


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSection:
    """``[train]``: how the model is trained, from what, and what comes out."""

    command: str
    code: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    params: str | None = None
    params_env: str | None = None
    metrics: str | None = None
    predictions: str | None = None
    outputs: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    mlflow: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with ``samovar.toml``.

    Parameters
    ----------
    folder : Path
        Absolute.
    project, model, examples, service, environment, train
        Its sections; None where an optional one is absent.
    """

    folder: Path
    project: ProjectSection
    model: ModelSection | None
    examples: ExamplesSection = field(default_factory=ExamplesSection)
    service: ServiceSection = field(default_factory=ServiceSection)
    environment: EnvironmentSection = field(default_factory=EnvironmentSection)
    train: TrainSection | None = None


_SECTIONS: Final[dict[str, type]] = {
    "project": ProjectSection,
    "model": ModelSection,
    "examples": ExamplesSection,
    "service": ServiceSection,
    "environment": EnvironmentSection,
    "train": TrainSection,
}
_PATHS: Final = {
    "model.path", "examples.path", "service.code", "train.code", "train.data", "train.params",
    "train.metrics", "train.predictions", "train.outputs",
}  # fmt: skip
_Section = TypeVar("_Section")


def read_project(folder: Path) -> Project:
    """Read the project in a folder.

    Parameters
    ----------
    folder : Path
        Has ``samovar.toml``.

    Raises
    ------
    InvalidProject
        Where there is none, it is not TOML, or a key is unknown or of the wrong type; the message
        names the key, the line and the nearest known key.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidProject(
            f"There is no {FILE} in {folder.absolute()}.",
            hint="'samovar init' writes one.",
            code="no_project",
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidProject(f"{path} is not UTF-8.", hint="Save it as UTF-8.") from error
    return parse_project(text, folder.absolute())


def parse_project(text: str, folder: Path) -> Project:
    """Read the text of a ``samovar.toml`` that stands in a folder.

    Raises
    ------
    InvalidProject
        As :func:`read_project`.
    """
    document = _parse(text)
    complain = _complainer(text)
    for name in document:
        if name not in _SECTIONS:
            raise complain(name, f"[{name}] is not a section", near=_near(name, _SECTIONS))
    sections: dict[str, Any] = {
        name: _section(kind, name, document[name], complain)
        for name, kind in _SECTIONS.items()
        if name in document
    }
    if "project" not in sections:
        raise complain("project", "the section [project] is missing")
    project = Project(folder=folder, **{"model": None, **sections})
    _check(project, complain)
    return project


def _parse(text: str) -> dict[str, Any]:
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        return tomlkit.parse(text).unwrap()
    except ParseError as error:
        raise InvalidProject(
            f"{FILE} is not TOML.",
            why=str(error),
            hint=f"Correct line {error.line}, column {error.col}.",
        ) from error


def _complainer(text: str) -> Callable[..., InvalidProject]:
    def complain(key: str, what: str, *, near: str | None = None) -> InvalidProject:
        line = _line_of(text, key)
        place = f"{FILE}, line {line}" if line else FILE
        hint = f"Did you mean {near!r}?" if near else "See docs/reference/samovar-toml.md."
        return InvalidProject(f"{place}: {what}.", hint=hint)

    return complain


def _line_of(text: str, key: str) -> int | None:
    """Find the line of a dotted key, or of its section."""
    section, _, name = key.partition(".")
    current, of_section = "", None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            current = header[1]
            if current == section:
                of_section = number
        elif current == section and (found := _KEY.match(line)) and found[1] == name:
            return number
    return of_section


def _near(name: str, known: Mapping[str, Any] | list[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1, 0.5)
    return near[0] if near else None


def _section(
    kind: type[_Section], name: str, values: Any, complain: Callable[..., InvalidProject]
) -> _Section:
    if not isinstance(values, dict):
        raise complain(name, f"{name} is not a section, write [{name}]")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type] # a dataclass
    for key in values:
        if key not in known:
            raise complain(
                f"{name}.{key}", f"{name}.{key} is not a key", near=_near(key, list(known))
            )
    read = {key: _value(f"{name}.{key}", value, str(known[key].type), complain)
            for key, value in values.items()}  # fmt: skip
    try:
        return kind(**read)
    except TypeError:
        missing = [key for key in known if key not in read and _is_required(known[key])]
        raise complain(name, f"[{name}] lacks {' and '.join(missing)}") from None


def _is_required(one: Any) -> bool:
    from dataclasses import MISSING

    return one.default is MISSING and one.default_factory is MISSING


def _value(key: str, value: Any, declared: str, complain: Callable[..., InvalidProject]) -> Any:
    if declared.startswith("tuple"):
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise complain(key, f"{key} is not a list of strings")
        return tuple(_path(key, item, complain) for item in value)
    if not isinstance(value, str):
        raise complain(key, f"{key} is not a string, write it in quotes")
    return _path(key, value, complain)


def _path(key: str, value: str, complain: Callable[..., InvalidProject]) -> str:
    if key not in _PATHS:
        return value
    path = PurePosixPath(value.replace("\\", "/"))
    if not value or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise complain(key, f"{key} is {value!r}, which does not stay within the project")
    return str(path)


def _check(project: Project, complain: Callable[..., InvalidProject]) -> None:
    try:
        check_name(project.project.name)
    except InvalidReference as error:
        raise complain("project.name", error.message.rstrip(".")) from error
    python = project.project.python
    if _PYTHON.fullmatch(python) is None:
        raise complain("project.python", f'python is {python!r}; write a minor version as "3.11"')
    if project.model is not None and project.model.method not in METHODS:
        raise complain(
            "model.method",
            f"{project.model.method!r} is none of {', '.join(METHODS)}",
            near=_near(project.model.method, list(METHODS)),
        )
    for platform in project.environment.platforms:
        if platform.count("/") != 1:
            raise complain(
                "environment.platforms",
                f"{platform!r} is not a platform such as linux/amd64",
                near=_near(platform, list(PLATFORMS)),
            )
