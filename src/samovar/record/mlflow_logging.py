"""Log the model of a run to MLflow, with signature and example, where its version looks for it.

From MLflow 3 on a model stands beside the run that made it and has an identity of its own; before,
it is a folder among the run's files.

References
----------
MLflow documentation, "REST API" (2.0): "Create Logged Model", "Log Outputs", "Log Model".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from samovar.bundle.opened import read_code
from samovar.core.run import flatten
from samovar.errors import SamovarError
from samovar.record.chunks import read_file
from samovar.record.mlflow_layout import LaidOut, Place, lay_out_model
from samovar.record.packing import bundle_of_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.record.mlflow_server import Server
    from samovar.record.runs import Run
    from samovar.store.home import Home
    from samovar.store.layout import Store

_NAME: Final = "model"
_BESIDE_RUNS: Final = 3
_MAX_PARAMS: Final = 100
_READY: Final = "LOGGED_MODEL_READY"
_FAILED: Final = "LOGGED_MODEL_UPLOAD_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """What came of logging a model.

    Parameters
    ----------
    model : str or None
        MLflow's name of it, where it stands beside runs; metrics may point there.
    warnings : tuple of str
        Why there is no model, or no signature.
    """

    model: str | None = None
    warnings: tuple[str, ...] = ()


def log_model(
    home: Home,
    store: Store,
    server: Server,
    run: Run,
    created: dict[str, Any],
    *,
    progress: Callable[[str], None],
) -> LoggedModel:
    """Log the model that a run wrote.

    Parameters
    ----------
    created : mapping
        The run as the server describes it.

    Raises
    ------
    ValueError, httpx.HTTPError
        Where the server refuses.
    """
    try:
        bundle = bundle_of_run(home, store, run, progress=progress)
        code = read_code(store, bundle)
        version = server.version()
        beside = int(version.partition(".")[0]) >= _BESIDE_RUNS

        def lay_out(model: str, path: str) -> LaidOut:
            place = Place(
                version=version,
                run=created["run_id"],
                model=model,
                is_beside=beside,
                path=path,
                time=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f"),
            )
            return lay_out_model(bundle, code, run, place)

        # Whether it can be laid out at all is known before the server is told of a model.
        laid_out = lay_out(uuid4().hex, _NAME)
    except SamovarError as error:
        told = " ".join(part for part in (error.message, error.hint) if part)
        return LoggedModel(warnings=(f"the model is not logged to MLflow: {told}",))
    progress("Logging the model to MLflow")
    model = None
    if beside:
        model = _log_beside(store, server, run, created, lay_out)
    else:
        _log_within(store, server, created, laid_out)
    if laid_out.has_signature:
        return LoggedModel(model=model)
    columns = bundle.document.signature.inputs
    types = ", ".join(sorted({column.dtype for column in columns}))
    return LoggedModel(
        model=model,
        warnings=(f"the model is logged to MLflow without a signature, which lacks {types}",),
    )


def _log_beside(
    store: Store,
    server: Server,
    run: Run,
    created: dict[str, Any],
    lay_out: Callable[[str, str], LaidOut],
) -> str:
    params = [
        {"key": name, "value": str(value)} for name, value in flatten(run.record.params).items()
    ]
    info = server.send(
        "logged-models",
        {
            "experiment_id": created["experiment_id"],
            "name": _NAME,
            "source_run_id": created["run_id"],
            "params": params[:_MAX_PARAMS],
            "tags": [{"key": "samovar.digest", "value": str(run.digest)}],
        },
    )["model"]["info"]
    model, root = str(info["model_id"]), str(info["artifact_uri"])
    status = _FAILED
    try:
        _upload(store, server, root, lay_out(model, root))
        status = _READY
    finally:
        server.send(f"logged-models/{model}", {"model_id": model, "status": status}, "PATCH")
    outputs = [{"model_id": model, "step": 0}]
    server.send("runs/outputs", {"run_id": created["run_id"], "models": outputs})
    return model


def _log_within(store: Store, server: Server, created: dict[str, Any], laid_out: LaidOut) -> None:
    _upload(store, server, f"{created['artifact_uri']}/{_NAME}", laid_out)
    server.send(
        "runs/log-model",
        {"run_id": created["run_id"], "model_json": json.dumps(laid_out.description)},
    )


def _upload(store: Store, server: Server, root: str, laid_out: LaidOut) -> None:
    for path, content in laid_out.files.items():
        data = content if isinstance(content, bytes) else read_file(store, content)
        server.upload(root, path, data)
