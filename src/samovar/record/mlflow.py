"""Log a run to an MLflow server as well: parameters, metrics, files, model; its digest as tag.

A server that cannot be reached, and a model that it could not serve, cost a warning, never the run.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from samovar.core.run import flatten
from samovar.record.chunks import read_file
from samovar.record.mlflow_server import ARTIFACTS, Server, credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from samovar.record.runs import Run
    from samovar.store.home import Home
    from samovar.store.layout import Store

_TIMEOUT_S: Final = 10.0
_BATCH: Final = 100
_MAX_VALUE: Final = 6000


def log_run(
    home: Home,
    store: Store,
    run: Run,
    uri: str | None,
    *,
    with_model: bool,
    progress: Callable[[str], None],
) -> list[str]:
    """Log a run where MLflow is asked for, and give warnings.

    Parameters
    ----------
    uri : str, optional
        ``[train] mlflow``; ``MLFLOW_TRACKING_URI`` wins over it. Without either nothing is done.
    with_model : bool
        Whether one of the run's outputs is a model.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI") or uri
    if not address:
        return []
    if urlsplit(address).scheme not in {"http", "https"}:
        return [f"not logged to MLflow: {address} is not the http address of a server"]
    import httpx

    progress("Logging to MLflow")
    shown = address.rpartition("@")[2]
    try:
        with httpx.Client(
            base_url=address.rstrip("/") + "/", timeout=_TIMEOUT_S, headers=credentials()
        ) as client:
            log = _Log(client, home, store, progress)
            return log.log(run, with_model=with_model)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return [f"not logged to MLflow at {shown}: {_line(error)}"]


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class _Log:
    """Logs one run to one server."""

    def __init__(
        self, client: httpx.Client, home: Home, store: Store, progress: Callable[[str], None]
    ) -> None:
        self._server = Server(client)
        self._home = home
        self._store = store
        self._progress = progress

    def log(self, run: Run, *, with_model: bool) -> list[str]:
        record = run.record
        started = _milliseconds(record.started)
        created = self._server.send("runs/create", self._description(run, started))["run"]["info"]
        warnings: list[str] = []
        model = None
        if urlsplit(created.get("artifact_uri", "")).scheme != ARTIFACTS:
            kind = urlsplit(created.get("artifact_uri", "")).scheme or "a path"
            warnings.append(f"files are not logged to MLflow: its artifacts are at {kind}")
        else:
            self._log_files(created["artifact_uri"], run)
            if with_model:
                model, told = self._log_model(run, created)
                warnings += told
        self._log_values(created["run_id"], run, started, model)
        ended = started + int(record.seconds * 1000)
        self._server.send(
            "runs/update",
            {"run_id": created["run_id"], "status": "FINISHED", "end_time": ended},
        )
        return warnings

    def _log_model(self, run: Run, created: dict[str, Any]) -> tuple[str | None, list[str]]:
        """Log the model; whatever becomes of it, the rest of the run is logged too."""
        import httpx

        from samovar.record.mlflow_logging import log_model

        try:
            logged = log_model(
                self._home, self._store, self._server, run, created, progress=self._progress
            )
        except (httpx.HTTPError, KeyError, ValueError) as error:
            return None, [f"the model is not logged to MLflow: {_line(error)}"]
        return logged.model, list(logged.warnings)

    def _description(self, run: Run, started: int) -> dict[str, Any]:
        record = run.record
        tags = {
            "samovar.run": run.name,
            "samovar.digest": str(run.digest),
            "mlflow.runName": run.name,
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": record.command,
        }
        if record.git is not None:
            tags["mlflow.source.git.commit"] = record.git.commit
        return {
            "experiment_id": self._server.experiment(record.project),
            "run_name": run.name,
            "start_time": started,
            "tags": _pairs(tags),
        }

    def _log_values(self, run_id: str, run: Run, time: int, model: str | None) -> None:
        record = run.record
        of_model = {} if model is None else {"model_id": model}
        metrics = [
            {"key": name, "value": float(value), "timestamp": time, "step": 0, **of_model}
            for name, value in record.metrics.items()
            if value is not None
        ]
        params = _pairs(
            {name: str(value)[:_MAX_VALUE] for name, value in flatten(record.params).items()}
        )
        for start in range(0, max(len(metrics), len(params)), _BATCH):
            self._server.send(
                "runs/log-batch",
                {
                    "run_id": run_id,
                    "metrics": metrics[start : start + _BATCH],
                    "params": params[start : start + _BATCH],
                },
            )

    def _log_files(self, root: str, run: Run) -> None:
        """Upload what the run wrote."""
        files = [*run.record.outputs]
        if run.record.predictions is not None:
            files.append(run.record.predictions)
        for file in files:
            self._server.upload(root, f"outputs/{file.path}", read_file(self._store, file))


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in values.items()]


def _milliseconds(started: str) -> int:
    return int(datetime.fromisoformat(started.replace("Z", "+00:00")).timestamp() * 1000)
