"""Write a run's code, data, parameters and lock into a folder, as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.env.lock import FILE
from samovar.errors import UserError
from samovar.record.chunks import read_file
from samovar.record.reproduce import spec_of_run
from samovar.record.workspace import lay_out

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.record.runs import Run
    from samovar.store.layout import Store


def check_out(store: Store, run: Run, folder: Path) -> list[str]:
    """Write what a run was made from, and what it wrote.

    Parameters
    ----------
    folder : Path
        Does not exist, or is empty.

    Returns
    -------
    list of str
        The paths, sorted.

    Raises
    ------
    UserError
        Where the folder has something in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"{folder} is not empty.", hint="Name a new folder; nothing is written over."
        )
    folder.mkdir(parents=True, exist_ok=True)
    spec = spec_of_run(store, run.record)
    lay_out(store, spec, folder)
    (folder / FILE).write_bytes(spec.lock.data)
    for file in run.record.outputs:
        with (folder / file.path).open("wb") as output:
            for piece in read_file(store, file):
                output.write(piece)
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
