"""Score a file of rows with a bundle's model, or with a bare model file in a named interpreter."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.child import child_variables
from samovar.bundle.environment import prepare
from samovar.bundle.kept import Kept
from samovar.bundle.opened import Bundle, unpack_bundle
from samovar.bundle.output import Output, numbers_of
from samovar.bundle.scorer import Scorer
from samovar.bundle.tables import find_rows, read_batches
from samovar.bundle.verify import check_model, replay_level
from samovar.core.frames import read_frames, write_frame
from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from samovar.core.frames import Part
    from samovar.core.signature import Signature
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

INPUT: Final = "input.frames"
OUTPUT: Final = "output.frames"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What ``predict`` did.

    Parameters
    ----------
    rows : int
        How many were scored.
    engine : str
        What computed the answers.
    predictions : list or None
        The answers in order; None where they were written to a file.
    """

    rows: int
    engine: str
    predictions: list[Any] | None


def predict_bundle(
    home: Home,
    store: Store,
    bundle: Bundle,
    source: str,
    *,
    output: Path | None,
    method: str | None,
    python: Path | None,
    keep: Sequence[str] = (),
    progress: Progress,
) -> Predicted:
    """Score a file with a bundle.

    Parameters
    ----------
    source : str
        Path of the rows, or ``-``.
    output : Path, optional
        Where the answers go; its ending chooses the format. None brings them back.
    method : str, optional
        Another method of the model than the bundle's.
    python : Path, optional
        An interpreter that is used as it is, if it answers the lock.
    keep : sequence of str
        Columns of the input that go along into the output.
    progress : callable
        Is told what is going on.

    Raises
    ------
    InvalidInput
        Naming the line that is malformed; nothing stands under the output's name then.
    EnvironmentMismatch
        Where the named interpreter does not answer the lock.
    Refused
        Where the audit refuses the model.
    """
    if source != "-":
        find_rows(source)
    with home.workspace() as workspace:
        with scoring(home, store, bundle, workspace, method, python, progress) as scorer:
            kept = Kept(source, keep) if keep else None
            rows = write_input(source, bundle.document.signature, workspace, keep=keep)
            progress(f"Scoring {rows} rows")
            scorer.answer(workspace / INPUT, workspace / OUTPUT)
        predictions = collect(workspace / OUTPUT, output, kept)
    return Predicted(rows=rows, engine=engine_of(bundle), predictions=predictions)


@contextmanager
def scoring(
    home: Home,
    store: Store,
    bundle: Bundle,
    workspace: Path,
    method: str | None,
    python: Path | None,
    progress: Progress,
) -> Iterator[Scorer]:
    """Unpack and audit a bundle's model, and start a process for it in its environment.

    The parameters and errors are those of :func:`predict_bundle`.
    """
    unpacked = unpack_bundle(store, bundle, workspace / "bundle")
    check_model(bundle, unpacked)
    prepared = prepare(
        home, bundle.document, bundle.lock, unpacked=unpacked, python=python, progress=progress
    )
    variables = child_variables(replay_level(bundle.receipt), write_bytecode=not prepared.is_users)
    with Scorer(prepared, unpacked, workspace, method=method, variables=variables) as scorer:
        yield scorer


def engine_of(bundle: Bundle) -> str:
    """Name what computes the answers."""
    described = bundle.document.model
    return described.library or described.format


def write_input(
    source: str, signature: Signature, workspace: Path, *, keep: Sequence[str] = ()
) -> int:
    """Write the rows as the runtime reads them, a frame a batch, and give their number."""
    rows = 0
    with (workspace / INPUT).open("wb") as frames:
        for batch in read_batches(source, signature, also=keep):
            try:
                write_frame(frames, batch.columns)
            except ValueError as error:
                raise InvalidInput(
                    f"A value among rows {rows} to {rows + batch.rows - 1} is infinite.",
                    hint="Infinities cannot be asked for; use null or a number.",
                ) from error
            rows += batch.rows
    return rows


def collect(answers: Path, output: Path | None, kept: Kept | None = None) -> list[Any] | None:
    """Bring the runtime's answers into a file, kept columns before them, or back as a list."""
    with answers.open("rb") as frames:
        if output is None:
            return [value for parts in read_frames(frames) for value in values_of(parts)]
        with Output(output, kept) as file:
            for parts in read_frames(frames):
                file.write(parts)
    return None


def values_of(parts: Sequence[Part]) -> list[Any]:
    """Give one JSON value for each row: a scalar, a list, or a list for each of several outputs."""
    columns = [_rows_of(part) for part in parts]
    if len(columns) == 1:
        return columns[0]
    return [list(row) for row in zip(*columns, strict=True)]


def _rows_of(part: Part) -> list[Any]:
    flat: list[Any] = part.data if part.dtype is None else numbers_of(part)
    if part.dtype is not None and part.dtype.startswith("float"):
        flat = [value if math.isfinite(value) else None for value in flat]
    for size in reversed(part.shape[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)]
    return flat
