"""Name what a training command read or reached that its record does not have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samovar.record.spec import Spec
    from samovar.record.workspace import Done


def unrecorded_access(done: Done, spec: Spec, project: Path) -> list[str]:
    """Give a warning for each undeclared file of the project, other file, and connection.

    Parameters
    ----------
    done : Done
        Has what the watch noted.
    spec : Spec
        Says what was declared, and what the command writes.
    project : Path
        The project's folder: the command ran in a copy, and may have reached the original.
    """
    return describe_access(done.watched, spec, project, done.folder)


def describe_access(
    watched: Iterable[tuple[str, str]], spec: Spec, project: Path, copy: Path
) -> list[str]:
    """Do the same for what was noted in a given copy."""
    declared = {*spec.code, *spec.data, spec.params_path, spec.metrics_path,
                spec.predictions_path, *spec.outputs}  # fmt: skip
    found: dict[str, None] = {}
    for kind, what in watched:
        if kind == "connect":
            found[f"connects to {what}; what came from there is not recorded"] = None
        elif kind == "read":
            warning = _of_read(Path(what), declared, project, copy)
            if warning is not None:
                found[warning] = None
    return list(found)


def _of_read(path: Path, declared: set[str | None], project: Path, copy: Path) -> str | None:
    for root, is_copy in ((copy.resolve(), True), (project.resolve(), False)):
        try:
            relative = path.resolve().relative_to(root).as_posix()
        except ValueError:
            continue
        if not is_copy:
            return f"reads {path} in the project itself, not in the clean copy; use a relative path"
        exists_only_there = not path.exists() and (project / relative).is_file()
        if relative in declared or not exists_only_there:
            return None
        return f"reads {relative!r}, which is not in [train] data"
    if path.is_file() and path.suffix in _DATA_ENDINGS:
        return f"reads {path}, which is outside the project and not recorded"
    return None


_DATA_ENDINGS = frozenset(
    {".csv", ".tsv", ".parquet", ".json", ".jsonl", ".npy", ".npz", ".pkl", ".joblib", ".feather",
     ".arrow", ".h5", ".hdf5", ".xlsx", ".xls", ".txt", ".yaml", ".yml", ".db", ".sqlite"}
)  # fmt: skip
