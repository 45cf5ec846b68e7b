"""Score rows with a bare model file: no lock, no receipt, an interpreter that the user names.

The model is audited as any other. Its signature is found out from the model and the first rows, in
the interpreter's own packages; nobody vouches that they are the ones it was made with.
"""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.bundle.child import child_variables, numeric_level, run_child
from samovar.bundle.environment import Prepared
from samovar.bundle.kept import Kept
from samovar.bundle.predict import INPUT, OUTPUT, Predicted, collect, write_input
from samovar.bundle.scorer import Scorer
from samovar.core import layout
from samovar.core.bundle import BundleDocument, BundleModel
from samovar.core.canonical import canonical_json
from samovar.core.signature import Signature
from samovar.env.interpreters import probe
from samovar.env.runtime_folder import runtime_folder
from samovar.errors import InvalidInput, UserError
from samovar.model.audit import audit_file, refusal
from samovar.project.examples import read_examples
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.model.audit import AuditReport
    from samovar.store.home import Home

    Progress = Callable[[str], None]

_FIRST_ROWS: Final = 20


def predict_model_file(
    home: Home,
    model: Path,
    source: str,
    *,
    output: Path | None,
    method: str | None,
    python: Path | None,
    keep: Sequence[str] = (),
    progress: Progress,
) -> Predicted:
    """Audit a model file and score rows with it in a named interpreter.

    Parameters
    ----------
    model : Path
        The file.
    source : str
        Path of the rows.
    output, method, keep, progress
        As for a bundle (bundle/predict.py).
    python : Path, optional
        The interpreter; it has to be named, since a file says of no environment.

    Raises
    ------
    Refused
        Where the audit refuses the file; nothing is loaded then.
    UserError
        Where no interpreter was named.
    """
    report = audit_file(model)
    if not report.ok:
        raise refusal(report, model)
    if python is None:
        raise UserError(
            f"{model} is a bare model file, which says of no environment to run in.",
            hint="Name an interpreter that has its libraries: --python venv/bin/python.",
            code="no_interpreter",
        )
    interpreter = probe(python)
    with home.workspace() as workspace:
        staged = _stage(model, report, interpreter.minor, method or "predict", workspace)
        prepared = Prepared(
            interpreter=interpreter,
            runtime=runtime_folder(
                home.runtime, interpreter, offline=is_offline(), progress=progress
            ),
            wanted={},
            is_users=True,
        )
        progress("Reading the model")
        library = _record(prepared, staged, Path(source), workspace)
        document = BundleDocument.from_json(json.loads((staged / layout.DOCUMENT).read_bytes()))
        variables = child_variables(numeric_level(), write_bytecode=False)
        with Scorer(prepared, staged, workspace, method=None, variables=variables) as scorer:
            kept = Kept(source, keep) if keep else None
            rows = write_input(source, document.signature, workspace, keep=keep)
            progress(f"Scoring {rows} rows")
            scorer.answer(workspace / INPUT, workspace / OUTPUT)
        predictions = collect(workspace / OUTPUT, output, kept)
    return Predicted(rows=rows, engine=library or report.format, predictions=predictions)


def _stage(model: Path, report: AuditReport, minor: str, method: str, workspace: Path) -> Path:
    """Make a folder that looks like an unpacked bundle without a lock."""
    staged = workspace / "bundle"
    (staged / layout.PROJECT).mkdir(parents=True)
    shutil.copyfile(model, staged / layout.PROJECT / model.name)
    document = BundleDocument(
        name="model",
        version="0",
        python=minor,
        model=BundleModel(path=model.name, format=report.format, method=method),
        signature=Signature(container="array", inputs=(), outputs=()),
        app=None,
        message="",
        files=(),
    )
    (staged / layout.DOCUMENT).write_bytes(canonical_json(document.to_json()))
    return staged


def _record(prepared: Prepared, staged: Path, source: Path, workspace: Path) -> str:
    """Find out the model's signature and how it may be called, from the first rows."""
    examples = read_examples(source)
    rows = list(islice(examples.rows, _FIRST_ROWS))
    if not rows:
        raise InvalidInput(f"{source} has no rows.", hint="Give at least one row.")
    level = numeric_level()
    answer = run_child(
        prepared.interpreter.path,
        prepared.runtime,
        {
            "verb": "record",
            "bundle": str(staged),
            "wanted": {},
            "columns": examples.described,
            "rows": rows,
            "numerics": level,
        },
        workspace=workspace,
        variables=child_variables(level, write_bytecode=False),
    )
    assert isinstance(answer, dict), "nothing was wanted, so nothing can mismatch"
    document = json.loads((staged / layout.DOCUMENT).read_bytes())
    document["signature"] = answer["signature"]
    (staged / layout.DOCUMENT).write_bytes(canonical_json(document))
    (staged / layout.RECEIPT).write_bytes(canonical_json(answer["receipt"]))
    return str(answer["model"]["library"])
