"""Find the project's model file, by content and by what the code names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidModel, InvalidProject
from samovar.project.leaving import is_test
from samovar.project.listing import is_passed_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from samovar.project.found import FoundModel
    from samovar.project.sources import Sources

    Detect = Callable[[Path], FoundModel | None]

# Looked into; a model of another name is found where the user names it.
_ENDINGS: Final = frozenset(
    {".pkl", ".pickle", ".joblib", ".jl", ".sav", ".model", ".mdl", ".skops", ".onnx", ".ubj",
     ".bst", ".cbm", ".pt", ".pth", ".bin", ".dat", ".gz", ".z", ".xz", ".bz2", ".lzma", ".lz4",
     ".json", ".txt", ""}
)  # fmt: skip
# Looked for even where git ignores the file, as many projects let it.
_SURE_ENDINGS: Final = frozenset(
    {".pkl", ".pickle", ".joblib", ".jl", ".skops", ".onnx", ".ubj", ".bst", ".cbm"}
)
_LOOKED_FOR: Final = "Looked for pickle, joblib, skops, ONNX, XGBoost, LightGBM and CatBoost files."


def find_model(
    folder: Path,
    files: Sequence[str],
    sources: Sources,
    *,
    named: str | None,
    detect: Detect,
    notes: list[str],
) -> tuple[str, FoundModel]:
    """Find the model file: the one that is named, else the only one, else the one that code names.

    Parameters
    ----------
    folder : Path
        The project's.
    files : sequence of str
        In it.
    sources : Sources
        Says which paths the code names, the application's first.
    named : str, optional
        By the user.
    detect : callable
        Says what a file is, without loading it; None where it is no model.
    notes : list of str
        Is told what was assumed.

    Raises
    ------
    InvalidModel
        Where there is none, the named one is none, or nothing decides between several.
    """
    if named is not None:
        path = within(folder, named)
        found = _named(folder, path, named, detect)
    else:
        looked_at, links = _look(folder, files, detect)
        notes += [f"{link} is a link that leads out of the project; it was passed over"
                  for link in links]  # fmt: skip
        models = {path: one for path, one in looked_at.items() if one.predicts}
        if not models:
            raise _none(folder, files, looked_at, links)
        path = _choose(list(models), sources, notes)
        found = models[path]
    notes.append(f"model: {path} ({found.describe()})")
    if found.objections:
        notes.append(
            f"the audit does not let {', '.join(found.objections[:5])} through: pack will refuse "
            "the model, unless they are your own classes and [model] trusted names them"
        )
    return path, found


def within(folder: Path, named: str) -> str:
    """Give a path that the user named, relative to the project's folder.

    Raises
    ------
    InvalidProject
        Where it leads out of it.
    """
    root = folder.resolve()
    candidates = (Path(os.path.abspath(folder / named)), Path(os.path.abspath(named)))  # noqa: PTH100 - a link stays one
    for path in candidates:
        for base in (Path(os.path.abspath(folder)), root):  # noqa: PTH100 - as above
            if path.exists() and base in path.parents:
                return path.relative_to(base).as_posix()
    if not any(path.exists() for path in candidates) and ".." not in Path(named).parts:
        return Path(named).as_posix()
    raise InvalidProject(f"{named} is not in the project's folder.", hint="Copy it there first.")


def _named(folder: Path, path: str, named: str, detect: Detect) -> FoundModel:
    if not (folder / path).is_file():
        raise InvalidModel(
            f"There is no model file {named}.", hint="Name it by --model.", code="no_model"
        )
    found = detect(folder / path)
    if found is None:
        raise InvalidModel(
            f"{named} is not a model.",
            why=_LOOKED_FOR,
            hint="Name another file by --model.",
            code="no_model",
        )
    if found.unread is not None:
        raise _unread(path, found.unread)
    return found


def _look(
    folder: Path, files: Iterable[str], detect: Detect
) -> tuple[dict[str, FoundModel], list[str]]:
    """Look into every file that may be a model; also give links that are not followed."""
    looked_at, links = {}, []
    for path in sorted({*files, *_ignored(folder)}):
        if Path(path).suffix.lower() not in _ENDINGS:
            continue
        if _is_link_out(folder, path):
            links.append(path)
            continue
        found = detect(folder / path)
        if found is not None:
            looked_at[path] = found
    return looked_at, links


def _choose(models: list[str], sources: Sources, notes: list[str]) -> str:
    """Choose by what the application's file names, then by what any does, then without tests."""
    service = sources.applications[0].file if sources.applications else None
    by_service = [path for file, path in sources.paths if file == service]
    by_any = [path for _, path in sources.paths]
    outside_tests = [path for path in models if not is_test(path)]
    groups = (
        models,
        [path for path in models if _is_mentioned(path, by_service)],
        [path for path in models if _is_mentioned(path, by_any)],
        outside_tests,
    )
    for group in groups:
        if len(group) == 1:
            others = [path for path in models if path != group[0]]
            if others:
                notes.append(f"other models: {', '.join(others)} (name one by --model)")
            return group[0]
    raise InvalidModel(
        f"There are {len(models)} models: {', '.join(models)}.",
        hint=f"Name the one to pack, for instance --model {(outside_tests or models)[0]}.",
        code="several_models",
    )


def _is_mentioned(path: str, named: Iterable[str]) -> bool:
    plain = (one.removeprefix("./") for one in named)
    return any(one == path or one.endswith(f"/{path}") or path.endswith(f"/{one}") for one in plain)


def _none(
    folder: Path, files: Iterable[str], looked_at: dict[str, FoundModel], links: list[str]
) -> InvalidModel:
    for path, found in looked_at.items():
        if found.unread is not None and Path(path).suffix.lower() in _SURE_ENDINGS:
            return _unread(path, found.unread)
    linked = [link for link in links if Path(link).suffix.lower() in _SURE_ENDINGS]
    if linked:
        return InvalidModel(
            f"{linked[0]} is a link that leads out of the project.",
            hint=f"Copy the model into the project, or say so: --model {linked[0]}.",
            code="no_model",
        )
    sure = (path for path in files if Path(path).suffix.lower() in _SURE_ENDINGS)
    called = sorted(path for path in sure if path not in looked_at)
    if called:
        return InvalidModel(
            f"{called[0]} is no model, whatever its name says.",
            why=_LOOKED_FOR,
            hint="Save the model again, or name another file by --model.",
            code="no_model",
        )
    return InvalidModel(
        f"There is no model in {folder.absolute()}.",
        why=f"{', '.join(looked_at)}: holds data, no model." if looked_at else _LOOKED_FOR,
        hint="Train one first, or name it by --model.",
        code="no_model",
    )


def _unread(path: str, why: str) -> InvalidModel:
    return InvalidModel(
        f"{path} cannot be read to its end.",
        why=why,
        hint="It may be cut off, or no model at all: save it again, or name another by --model.",
        code="no_model",
    )


def _ignored(folder: Path) -> list[str]:
    """Find files that are surely meant as models, whether git ignores them or not."""
    found: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not is_passed_over(name) and not (Path(root) / name / "pyvenv.cfg").exists()
        ]
        found += [
            (Path(root) / name).relative_to(folder).as_posix()
            for name in names
            if Path(name).suffix.lower() in _SURE_ENDINGS and (Path(root) / name).is_file()
        ]
    return found


def _is_link_out(folder: Path, path: str) -> bool:
    file = folder / path
    return file.is_symlink() and folder.resolve() not in file.resolve().parents
