"""Gather what a training command may read: the project's code, data, parameters and variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.facts import CPU_VARIABLES, THREAD_VARIABLES
from samovar.errors import InvalidProject, UserError
from samovar.project.files import list_files, select_code
from samovar.record.metrics import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from samovar.core.run import RunFile
    from samovar.project.config import Project, TrainSection
    from samovar.record.known_files import KnownFiles, Original
    from samovar.store.layout import Store

ALWAYS_COUNT: Final = ("TZ", "PYTHONHASHSEED", "LANG", "LC_ALL")
"""Variables that change results so often that they are recorded without being asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a run is made from.

    Parameters
    ----------
    code, data : tuple of RunFile
        Stored.
    params : dict
        As the file has them, with what was set on the command line.
    env : dict of str to str or None
        The variables that count.
    originals : dict of str to Original
        The files that code and data were read from, by path in the project.
    """

    code: tuple[RunFile, ...]
    data: tuple[RunFile, ...]
    params: dict[str, Any]
    env: dict[str, str | None]
    originals: dict[str, Original]


def train_section(project: Project) -> TrainSection:
    """Give the project's ``[train]``.

    Raises
    ------
    InvalidProject
        Where samovar.toml has none.
    """
    if project.train is None:
        raise InvalidProject(
            "samovar.toml has no [train] section.",
            hint='Write [train] and command = "python train.py", with code, data and metrics.',
            code="no_train",
        )
    return project.train


def gather(
    store: Store, known: KnownFiles, project: Project, settings: Mapping[str, Any]
) -> Inputs:
    """Store the project's code and data and read its parameters.

    Parameters
    ----------
    known : KnownFiles
        Files that need not be read again.
    settings : mapping of str to object
        Parameters by dotted path that were set on the command line.

    Raises
    ------
    InvalidProject
        Where a file does not exist, naming it.
    """
    train = train_section(project)
    folder = project.folder
    data_paths = _data_paths(folder, train.data)
    code_paths = _code_paths(project, train, exclude=set(data_paths))
    with store.writing(), ThreadPoolExecutor(os.cpu_count()) as pool:
        stored = list(
            pool.map(
                lambda path: known.store(store, folder / path, path), [*code_paths, *data_paths]
            )
        )
    files = [file for file, _ in stored]
    params = read_params(folder, train)
    for path, value in settings.items():
        set_parameter(params, path, value)
    if settings and train.params is None and train.params_env is None:
        raise UserError(
            "The project has no parameters that could be set.",
            hint="Set [train] params to a JSON, YAML or TOML file, or params_env to a variable.",
            code="no_params",
        )
    names = dict.fromkeys([*train.env, *ALWAYS_COUNT, *THREAD_VARIABLES, *CPU_VARIABLES])
    return Inputs(
        code=tuple(files[: len(code_paths)]),
        data=tuple(files[len(code_paths) :]),
        params=params,
        env={name: os.environ.get(name) for name in names},
        originals={file.path: original for file, original in stored},
    )


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``; the value is JSON where it can be read so, else text.

    Examples
    --------
    >>> parse_setting("model.depth=3"), parse_setting("name=x")
    (('model.depth', 3), ('name', 'x'))
    """
    key, equals, value = text.partition("=")
    if not equals or not key or any(not part for part in key.split(".")):
        raise UserError(f"{text!r} is not KEY=VALUE.", hint="For instance --set model.depth=3.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def set_parameter(params: dict[str, Any], path: str, value: Any) -> None:
    """Set a parameter by its dotted path, in place.

    Raises
    ------
    UserError
        Where a part of the path is a value and not a group.
    """
    *parents, last = path.split(".")
    for part in parents:
        inner = params.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UserError(f"{part} is not a group of parameters, so {path} cannot be set in it.")
        params = inner
    params[last] = value


def read_params(folder: Path, train: TrainSection) -> dict[str, Any]:
    """Read the parameters of a project, from their file or their variable.

    Raises
    ------
    InvalidProject
        Where there are none where they should be.
    """
    if train.params is None:
        given = os.environ.get(train.params_env, "") if train.params_env is not None else ""
        document: Any = json.loads(given) if given else {}
    else:
        path = folder / train.params
        if not path.is_file():
            raise InvalidProject(
                f"There is no parameters file {train.params}.",
                hint="Write one, or correct [train] params.",
            )
        try:
            document = read_document(path)
        except ValueError as error:
            raise InvalidProject(f"{train.params} cannot be read.", why=str(error)) from error
    if not isinstance(document, dict):
        raise InvalidProject("The parameters are not an object of names and values.")
    return document


def _code_paths(project: Project, train: TrainSection, *, exclude: set[str]) -> list[str]:
    if train.code:
        paths = _expand(project.folder, train.code, "code")
    else:
        paths = list(select_code(project).included)
    made = {train.metrics, train.predictions, train.params, *train.outputs}
    return sorted(set(paths) - exclude - {path for path in made if path is not None})


def _data_paths(folder: Path, patterns: Sequence[str]) -> list[str]:
    missing = [
        pattern for pattern in patterns if not (folder / pattern).exists() and "*" not in pattern
    ]
    tracked = [pattern for pattern in missing if (folder / f"{pattern}.dvc").is_file()]
    if tracked or (missing and (folder / "dvc.yaml").is_file()):
        pull_data(folder, tracked or missing)
    return sorted(set(_expand(folder, patterns, "data")))


def pull_data(folder: Path, paths: Iterable[str]) -> None:
    """Let DVC fetch data that is missing from the working copy.

    Raises
    ------
    InvalidProject
        Where dvc is not installed, or fails; its own words are the reason.
    """
    dvc = shutil.which("dvc")
    shown = " ".join(paths)
    if dvc is None:
        raise InvalidProject(
            f"{shown} is tracked by DVC and is missing here; dvc is not installed.",
            hint="pip install dvc, with the extra of its remote (for instance dvc[s3]).",
            code="no_dvc",
        )
    targets = [f"{path}.dvc" if (folder / f"{path}.dvc").is_file() else path for path in paths]
    ended = subprocess.run(
        [dvc, "pull", "-q", *targets],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode != 0:
        raise InvalidProject(
            f"DVC cannot fetch {shown}.",
            why=ended.stderr.strip()[-1000:],
            hint="Run 'dvc pull' in the project to see more.",
            code="dvc_pull",
        )


def _expand(folder: Path, patterns: Iterable[str], kind: str) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        path = folder / pattern
        if path.is_file():
            found.append(Path(pattern).as_posix())
        elif path.is_dir():
            found += [f"{Path(pattern).as_posix()}/{one}" for one in _below(path)]
        else:
            matches = sorted(one for one in folder.glob(pattern) if one.is_file())
            if not matches:
                raise InvalidProject(
                    f"[train] {kind} names {pattern!r}, and there is no such file.",
                    hint="Fetch it, or correct samovar.toml.",
                    code="no_such_file",
                )
            found += [one.relative_to(folder).as_posix() for one in matches]
    return found


def _below(folder: Path) -> list[str]:
    """List a folder's files; those that git ignores count too, since they were named."""
    listed = {
        one.relative_to(folder).as_posix()
        for one in folder.rglob("*")
        if one.is_file() and "__pycache__" not in one.parts
    }
    return sorted(listed | set(list_files(folder)))
