"""Convert a bundle's model into a format for use outside Python, and prove that it is the same."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.child import Mismatched, child_variables, run_child
from samovar.bundle.environment import prepare
from samovar.bundle.opened import Bundle, unpack_bundle
from samovar.bundle.verify import check_model, replay_level
from samovar.compare.verdict import DIFFERENT, Comparison, compare_outputs
from samovar.core.canonical import canonical_json
from samovar.core.receipt import Policy, Tensor
from samovar.env.converter_folder import converter_folder
from samovar.errors import EnvironmentMismatch, UserError
from samovar.store.atomic import unfinished_file, write_file
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

FORMATS: Final = ("onnx", "skops", "pmml")
_FILE: Final = "converted"
PRECISIONS: Final = ("auto", "double", "single")
_TOLERANCE: Final = {"double": 1e-12, "single": 1e-5}
"""Largest relative difference that the arithmetic of a file may make, beside the receipt's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What ``export`` did.

    Parameters
    ----------
    path : Path or None
        The file; None where it was DIFFERENT and nothing was written.
    format : str
        Of the file.
    precision : str
        ``double`` or ``single``: what the file computes with.
    compared : Comparison
        On the receipt's rows: the recorded outputs, and a classifier's probabilities.
    neighbours : Comparison
        On the rows next to them.
    """

    path: Path | None
    format: str
    precision: str
    compared: Comparison
    neighbours: Comparison

    @property
    def verdict(self) -> str:
        """Of the receipt's rows, and DIFFERENT where a neighbour of theirs is."""
        return DIFFERENT if self.neighbours.verdict == DIFFERENT else self.compared.verdict

    def to_json(self) -> dict[str, Any]:
        """Give CONTRACT's fields."""
        return {
            "path": None if self.path is None else str(self.path),
            "format": self.format,
            "verdict": self.verdict,
            "rows": self.compared.rows,
            "max_relative_difference": _finite(self.compared.max_relative_difference),
            "labels_changed": self.compared.labels_changed,
            "differences": [item.to_json() for item in self.compared.differences],
            "precision": self.precision,
            "neighbours": {
                "rows": self.neighbours.rows,
                "max_relative_difference": _finite(self.neighbours.max_relative_difference),
                "labels_changed": self.neighbours.labels_changed,
            },
        }


def export_bundle(
    home: Home,
    store: Store,
    bundle: Bundle,
    output: Path,
    *,
    target: str,
    precision: str,
    progress: Progress,
) -> Exported:
    """Convert a bundle's model in its own environment, with the converter beside it.

    Parameters
    ----------
    output : Path
        Where the file goes, if its answers are the receipt's.
    target : str
        ``onnx``, ``skops`` or ``pmml``.
    precision : str
        ``auto``, ``double`` or ``single``.
    progress : callable
        Is told what is going on.

    Raises
    ------
    InvalidModel
        Where the format cannot hold the model; the converter's reason is in it.
    Refused
        Where the audit refuses the model.
    Unavailable
        Where the environment or the converter cannot be had here.
    """
    output = output.absolute()
    if not output.parent.is_dir():
        raise UserError(f"There is no folder {output.parent}.", hint="Make it first.")
    if output.is_dir():
        raise UserError(f"{output} is a folder.", hint="Name a file.")
    with home.workspace() as workspace:
        unpacked = unpack_bundle(store, bundle, workspace / "bundle")
        check_model(bundle, unpacked)
        answer = _convert(
            home, bundle, unpacked, workspace, target=target, precision=precision, progress=progress
        )
        tolerance = _TOLERANCE[answer["precision"]]
        policy = Policy(
            relative_difference=max(bundle.receipt.policy.relative_difference, tolerance)
        )
        result = Exported(
            path=output,
            format=target,
            precision=answer["precision"],
            compared=_compared(answer["rows"], policy, bundle.receipt.outputs),
            neighbours=_compared(answer["neighbours"], policy),
        )
        if result.verdict == DIFFERENT:
            return Exported(
                path=None,
                format=target,
                precision=result.precision,
                compared=result.compared,
                neighbours=result.neighbours,
            )
        with unfinished_file(output.parent) as unfinished:
            with (workspace / _FILE).open("rb") as file:
                shutil.copyfileobj(file, unfinished.file)
            unfinished.keep_as(output)
    return result


def write_receipt(bundle: Bundle, path: Path) -> None:
    """Write what a client in another language needs to test itself.

    ``{"method", "columns", "rows", "outputs"}``: names in order, rows of values in that order (or
    texts), and what was recorded for all rows (core/receipt.py).
    """
    receipt = bundle.receipt
    document = {
        "method": receipt.method,
        "columns": [column.name for column in bundle.document.signature.inputs],
        "rows": list(receipt.rows),
        "outputs": [tensor.to_json() for tensor in receipt.outputs],
    }
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent}.", hint="Make it first.")
    write_file(path, canonical_json(document))


def _convert(
    home: Home,
    bundle: Bundle,
    unpacked: Path,
    workspace: Path,
    *,
    target: str,
    precision: str,
    progress: Progress,
) -> dict[str, Any]:
    prepared = prepare(home, bundle.document, bundle.lock, unpacked=unpacked, progress=progress)
    folder = converter_folder(
        home.cache("converters"),
        target,
        prepared.interpreter,
        offline=is_offline(),
        progress=progress,
    )
    progress(f"Converting to {target} and replaying the receipt")
    answer = run_child(
        prepared.interpreter.path,
        prepared.runtime,
        {
            "verb": "export",
            "bundle": str(unpacked),
            "wanted": prepared.wanted,
            "format": target,
            "precision": precision,
            "converter": str(folder),
            "output": str(workspace / _FILE),
        },
        workspace=workspace,
        variables=child_variables(replay_level(bundle.receipt)),
    )
    if isinstance(answer, Mismatched):
        raise EnvironmentMismatch(
            "The environment made from the lock does not answer it.",
            why="; ".join(str(mismatch) for mismatch in answer.mismatches),
            hint="Remove SAMOVAR_HOME's envs folder and try again.",
        )
    return answer


def _compared(
    answers: dict[str, Any], policy: Policy, receipt: tuple[Tensor, ...] = ()
) -> Comparison:
    """Compare what the file answered with the receipt's outputs, and with what was asked beside."""
    recorded = [Tensor.from_json(tensor) for tensor in answers["recorded"]]
    observed = [Tensor.from_json(tensor) for tensor in answers["observed"]]
    return compare_outputs([*receipt, *recorded[len(receipt) :]], observed, policy)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
