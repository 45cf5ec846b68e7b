"""Score a folder of files, one file of output for each, and go on where an earlier run ended.

A file of output appears under its name when it is complete, so what is there is done. What the
outputs are made from, the bundle and the inputs as they were, is written down before the first of
them; a run that finds something else there is refused.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.kept import Kept
from samovar.bundle.predict import INPUT, OUTPUT, collect, engine_of, scoring, write_input
from samovar.core.canonical import canonical_json
from samovar.errors import InvalidInput, Unavailable, UserError
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.bundle.scorer import Scorer
    from samovar.core.signature import Signature
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]
    Executor = Callable[
        [Home, Store, "Asked", Path, Path, Sequence[Path], Progress], Iterator[tuple[Path, int]]
    ]

STATE: Final = ".samovar-predict.json"
_ENDINGS: Final = (".parquet", ".pq", ".csv", ".arrow", ".jsonl", ".ndjson", ".json")
_UNFINISHED: Final = ".unfinished-*"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPredicted:
    """What was done with a folder.

    Parameters
    ----------
    rows : int
        How many were scored now.
    files : int
        How many were scored now.
    done_before : int
        How many an earlier run had scored.
    engine : str
        What computed the answers.
    """

    rows: int
    files: int
    done_before: int
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How the files of a folder are to be scored.

    Parameters
    ----------
    bundle : Bundle
        By which model.
    method : str, optional
        By another method than the bundle's.
    keep : tuple of str
        Columns of the inputs that go along.
    python : Path, optional
        In this interpreter.
    """

    bundle: Bundle
    method: str | None
    keep: tuple[str, ...]
    python: Path | None = None


def predict_folder(
    home: Home,
    store: Store,
    asked: Asked,
    source: Path,
    target: Path,
    *,
    executor: Executor | None = None,
    progress: Progress,
) -> FolderPredicted:
    """Score the files of a folder, and of folders in it, into a folder of the same names.

    Parameters
    ----------
    home : Home
        Has the environments.
    store : Store
        Has the bundle.
    asked : Asked
        The model and how it is asked.
    source, target : Path
        Folders; the second is made where it is not there.
    executor : callable, optional
        Scores the files elsewhere (bundle/predict_ray.py).
    progress : callable
        Is told what is going on.

    Raises
    ------
    UserError
        Where the outputs that are there were made from something else, or are being made now.
    InvalidInput
        Naming the file and the row that do not fit. What was finished stays.
    """
    files = _files(source)
    _check_apart(source, target)
    target.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        _begin(target, _state(asked, source, files))
        pending = [file for file in files if not (target / file).exists()]
        rows = 0
        score = executor or score_here
        scored = score(home, store, asked, source, target, pending, progress)
        for number, (file, count) in enumerate(scored, 1):
            rows += count
            progress(f"Scored {file} ({number} of {len(pending)} files, {rows} rows)")
    return FolderPredicted(
        rows=rows,
        files=len(pending),
        done_before=len(files) - len(pending),
        engine=engine_of(asked.bundle),
    )


def score_here(
    home: Home,
    store: Store,
    asked: Asked,
    source: Path,
    target: Path,
    files: Sequence[Path],
    progress: Progress,
) -> Iterator[tuple[Path, int]]:
    """Score files one after another by one process, and give each with its number of rows."""
    if not files:
        return
    with (
        home.workspace() as workspace,
        scoring(
            home, store, asked.bundle, workspace, asked.method, asked.python, progress
        ) as scorer,
    ):
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            signature = asked.bundle.document.signature
            yield (
                file,
                score_file(scorer, workspace, signature, source / file, target / file, asked.keep),
            )


def score_file(
    scorer: Scorer,
    workspace: Path,
    signature: Signature,
    source: Path,
    target: Path,
    keep: Sequence[str],
) -> int:
    """Score one file into another and give its number of rows.

    Raises
    ------
    SamovarError
        Naming the file.
    """
    try:
        kept = Kept(str(source), keep) if keep else None
        rows = write_input(str(source), signature, workspace, keep=keep)
        scorer.answer(workspace / INPUT, workspace / OUTPUT)
        collect(workspace / OUTPUT, target, kept)
    except InvalidInput as error:
        named = error.message if source.name in error.message else f"{source.name}: {error.message}"
        raise InvalidInput(named, why=error.why, hint=error.hint, code=error.code) from error
    return rows


def _files(source: Path) -> list[Path]:
    """List the files of rows in a folder, in the order of their names; hidden ones are none."""
    found = [
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and not any(part[0] in "._" for part in path.relative_to(source).parts)
    ]
    unknown = sorted(path for path in found if path.suffix.lower() not in _ENDINGS)
    if unknown:
        raise InvalidInput(
            f"Rows cannot be read from {unknown[0]} in {source}.",
            hint=f"Files of rows end in {', '.join(_ENDINGS)}; hidden ones are left out.",
            code="unknown_format",
        )
    if not found:
        raise InvalidInput(
            f"{source} has no files of rows.", hint="Name a folder of Parquet files."
        )
    return sorted(found, key=lambda path: path.parts)


def _check_apart(source: Path, target: Path) -> None:
    one, other = source.resolve(), target.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise UserError(
            "The folders of input and output lie in one another.", hint="Name another with -o."
        )
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is no folder.", hint="Name a folder with -o.")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep other runs out of a folder of output, and remove what a killed one left behind."""
    from filelock import FileLock, Timeout

    lock = FileLock(target / ".samovar-predict.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise Unavailable(
            f"Another samovar is writing to {target}.", hint="Wait for it, or name another folder."
        ) from None
    try:
        for path in target.rglob(_UNFINISHED):
            path.unlink()
        yield
    finally:
        lock.release()


def _state(asked: Asked, source: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Describe what outputs are made from: the model, and the inputs as they are now."""
    stats = {file.as_posix(): (source / file).stat() for file in files}
    return {
        "bundle": str(asked.bundle.digest),
        "method": asked.method,
        "keep": list(asked.keep),
        "inputs": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()},
    }


def _begin(target: Path, state: dict[str, Any]) -> None:
    """Write down what is begun, or check that it is what was begun before."""
    path = target / STATE
    if not path.exists():
        taken = sorted(name for name in state["inputs"] if (target / name).exists())
        if taken:
            raise UserError(
                f"{target / taken[0]} is there already, and no run of this command wrote it.",
                hint="Name another folder with -o.",
            )
        write_file(path, canonical_json(state))
        return
    try:
        before = json.loads(path.read_bytes())
        changed = _changed(before, state)
    except (ValueError, KeyError, TypeError, AttributeError):
        changed = f"{STATE} cannot be read"
    if changed is not None:
        raise UserError(
            f"The outputs in {target} were begun from something else.",
            why=f"{changed[0].upper()}{changed[1:]}.",
            hint="To start anew, remove that folder, or name another with -o.",
            code="changed",
        )


def _changed(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Say what is another than it was; None where nothing is."""
    if before["bundle"] != now["bundle"]:
        return f"the bundle was {before['bundle']}, now it is {now['bundle']}"
    for name, words in (("method", "another method is asked"), ("keep", "other columns are kept")):
        if before[name] != now[name]:
            return words
    for name, facts in before["inputs"].items():
        if name not in now["inputs"]:
            return f"the input {name} is gone"
        if facts != now["inputs"][name]:
            return f"the input {name} was changed"
    more = sorted(set(now["inputs"]) - set(before["inputs"]))
    return f"the input {more[0]} is new" if more else None
