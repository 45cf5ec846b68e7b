"""``samovar.toml``: read it and check every key.

Keys are described in docs/reference/samovar-toml.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from samovar.core.platforms import KNOWN
from samovar.core.reference import check_name
from samovar.errors import InvalidProject, InvalidReference
from samovar.project.checking import FILE, Complaints, check_keys, missing_keys, parse
from samovar.project.policy import PolicySection, check_policy
from samovar.project.signature import SignatureSection, check_signature

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "Project", "parse_project", "read_project"]

METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
PLATFORMS: Final = ("linux/amd64", "linux/arm64", "macos/arm64", "windows/amd64")
_PYTHON = re.compile(r"3\.(?:[1-9][0-9]*)")
_OLDEST: Final = 10
_FACTORY = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")
_APP = re.compile(r"[^\W\d]\w*(?:\.\w+)*(?::[^\W\d]\w*(?:\.\w+)*(?:\(\))?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSection:
    """``[project]``: name, version, and the minor version of Python the model was made with."""

    name: str
    version: str = "0.1.0"
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSection:
    """``[model]``: the model file, how it is called, and which names it may use besides.

    Where a function of the project makes the model (``factory``), the file is its module's.
    """

    path: str
    method: str = "predict"
    trusted: tuple[str, ...] = ()
    factory: str = ""


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
class CheckSection:
    """``[check]``: the recorded run that the project must still meet, and by which metric alone."""

    run: str
    metric: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with ``samovar.toml``.

    Parameters
    ----------
    folder : Path
        Absolute.
    project, model, examples, signature, service, environment, train, check, policy
        Its sections; None where an optional one is absent.
    """

    folder: Path
    project: ProjectSection
    model: ModelSection | None
    examples: ExamplesSection = field(default_factory=ExamplesSection)
    signature: SignatureSection = field(default_factory=SignatureSection)
    service: ServiceSection = field(default_factory=ServiceSection)
    environment: EnvironmentSection = field(default_factory=EnvironmentSection)
    train: TrainSection | None = None
    check: CheckSection | None = None
    policy: PolicySection | None = None


_SECTIONS: Final[dict[str, type]] = {
    "project": ProjectSection,
    "model": ModelSection,
    "examples": ExamplesSection,
    "signature": SignatureSection,
    "service": ServiceSection,
    "environment": EnvironmentSection,
    "train": TrainSection,
    "check": CheckSection,
    "policy": PolicySection,
}
_PATHS: Final = frozenset({
    "model.path", "examples.path", "service.code", "train.code", "train.data", "train.params",
    "train.metrics", "train.predictions", "train.outputs", "policy.keys",
})  # fmt: skip


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
    text = read_file(folder)
    if text is None:
        raise InvalidProject(
            f"There is no {FILE} in {folder.absolute()}.",
            hint="'samovar init' writes one.",
            code="no_project",
        )
    return parse_project(text, folder.absolute())


def read_file(folder: Path) -> str | None:
    """Give the text of a folder's ``samovar.toml`` with its line ends, or None where it has none.

    Raises
    ------
    InvalidProject
        Where it is not UTF-8.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidProject(f"{path} is not UTF-8.", hint="Save it as UTF-8.") from error


def parse_project(text: str, folder: Path) -> Project:
    """Read the text of a ``samovar.toml`` that stands in a folder.

    Raises
    ------
    InvalidProject
        As :func:`read_project`.
    """
    complaints = Complaints(text)
    present = check_sections(text)
    sections: dict[str, Any] = {}
    for name, values in present.items():
        missing = missing_keys(_SECTIONS[name], values)
        if missing:
            raise complaints.about(name, f"[{name}] lacks {' and '.join(missing)}")
        sections[name] = _SECTIONS[name](**values)
    if "project" not in sections:
        raise complaints.about("project", "the section [project] is missing")
    return Project(folder=folder, **{"model": None, **sections})


def check_sections(text: str) -> dict[str, dict[str, Any]]:
    """Check what a ``samovar.toml`` has, complete or not, and give it section by section.

    Raises
    ------
    InvalidProject
        As :func:`read_project`, but for what is missing.
    """
    complaints = Complaints(text)
    document = parse(text)
    for name in document:
        if name not in _SECTIONS:
            raise complaints.about(name, f"[{name}] is not a section", got=name, known=_SECTIONS)
    present = {
        name: check_keys(kind, name, document[name], _PATHS, complaints)
        for name, kind in _SECTIONS.items()
        if name in document and name != "signature"
    }
    if "signature" in document:
        present["signature"] = check_signature(document["signature"], complaints)
    _check_values(present, complaints)
    _settle_factory(present.get("model", {}), complaints)
    return present


def _settle_factory(model: dict[str, Any], complaints: Complaints) -> None:
    """Give the model that a function makes the path of the function's module."""
    factory = model.get("factory")
    if factory is None:
        return
    if _FACTORY.fullmatch(factory) is None:
        raise complaints.about("model.factory", f"factory is {factory!r}; write module:name")
    if "path" in model:
        raise complaints.about("model.factory", "a model has a path or a factory, and not both")
    model["path"] = factory.partition(":")[0].replace(".", "/") + ".py"


def _check_values(present: dict[str, dict[str, Any]], complaints: Complaints) -> None:
    project, model = present.get("project", {}), present.get("model", {})
    try:
        check_name(project.get("name", "unnamed"))
    except InvalidReference as error:
        raise complaints.about("project.name", error.message.rstrip(".")) from error
    _check_python(project.get("python"), complaints)
    method = model.get("method", METHODS[0])
    if method not in METHODS:
        raise complaints.about(
            "model.method", f"{method!r} is none of {', '.join(METHODS)}", got=method, known=METHODS
        )
    app = present.get("service", {}).get("app")
    if app is not None and _APP.fullmatch(app) is None:
        raise complaints.about("service.app", f"app is {app!r}; write module:name")
    _check_platforms(present.get("environment", {}).get("platforms"), complaints)
    check_policy(present.get("policy", {}), complaints)


def _check_platforms(platforms: tuple[str, ...] | None, complaints: Complaints) -> None:
    if platforms == ():
        raise complaints.about("environment.platforms", "environment.platforms is empty")
    for platform in platforms or ():
        if platform not in KNOWN:
            raise complaints.about(
                "environment.platforms",
                f"{platform!r} is not a platform such as linux/amd64",
                got=platform,
                known=KNOWN,
            )


def _check_python(python: str | None, complaints: Complaints) -> None:
    if python is None:
        return
    if _PYTHON.fullmatch(python) is None:
        raise complaints.about(
            "project.python", f'python is {python!r}; write a minor version as "3.11"'
        )
    if int(python.partition(".")[2]) < _OLDEST:
        raise complaints.about(
            "project.python", f"python is {python}; models run on Python 3.{_OLDEST} and newer"
        )
