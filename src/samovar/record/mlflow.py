"""Log a run to an MLflow server as well: parameters, metrics, files, and the run's digest as tag.

MLflow's REST interface is spoken directly, so that neither samovar nor the project needs MLflow's
own packages. A server that cannot be reached costs a warning, never the run.

References
----------
MLflow documentation, "REST API" (2.0), and "MLflow Artifacts Service".
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from samovar.core.run import flatten
from samovar.record.chunks import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from samovar.core.run import RunFile
    from samovar.record.runs import Run
    from samovar.store.layout import Store

_TIMEOUT_S: Final = 10.0
_BATCH: Final = 100
_MAX_VALUE: Final = 6000


def log_run(
    store: Store, run: Run, uri: str | None, *, progress: Callable[[str], None]
) -> list[str]:
    """Log a run where MLflow is asked for, and give warnings.

    Parameters
    ----------
    uri : str, optional
        ``[train] mlflow``; ``MLFLOW_TRACKING_URI`` wins over it. Without either nothing is done.
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
            return _Server(client, store).log(run)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return [f"not logged to MLflow at {shown}: {_line(error)}"]


def credentials() -> dict[str, str]:
    """Give the header that a server with tokens asks for."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {} if not token else {"Authorization": f"Bearer {token}"}


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class _Server:
    def __init__(self, client: httpx.Client, store: Store) -> None:
        self._client = client
        self._store = store

    def log(self, run: Run) -> list[str]:
        record = run.record
        experiment = self._experiment(record.project)
        started = _milliseconds(record.started)
        tags = {
            "samovar.run": run.name,
            "samovar.digest": str(run.digest),
            "mlflow.runName": run.name,
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": record.command,
        }
        if record.git is not None:
            tags["mlflow.source.git.commit"] = record.git.commit
        created = self._post(
            "runs/create",
            {
                "experiment_id": experiment,
                "run_name": run.name,
                "start_time": started,
                "tags": _pairs(tags),
            },
        )["run"]["info"]
        self._log_values(created["run_id"], run, started)
        warnings = self._log_files(created, run)
        ended = started + int(record.seconds * 1000)
        self._post(
            "runs/update",
            {"run_id": created["run_id"], "status": "FINISHED", "end_time": ended},
        )
        return warnings

    def _experiment(self, name: str) -> str:
        found = self._client.get(
            "api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": name}
        )
        if found.status_code == 200:
            return str(found.json()["experiment"]["experiment_id"])
        return str(self._post("experiments/create", {"name": name})["experiment_id"])

    def _log_values(self, run_id: str, run: Run, time: int) -> None:
        record = run.record
        metrics = [
            {"key": name, "value": float(value), "timestamp": time, "step": 0}
            for name, value in record.metrics.items()
            if value is not None
        ]
        params = _pairs({name: _text(value) for name, value in flatten(record.params).items()})
        for start in range(0, max(len(metrics), len(params)), _BATCH):
            self._post(
                "runs/log-batch",
                {
                    "run_id": run_id,
                    "metrics": metrics[start : start + _BATCH],
                    "params": params[start : start + _BATCH],
                },
            )

    def _log_files(self, created: dict[str, Any], run: Run) -> list[str]:
        """Upload what the run wrote, where the server takes files itself."""
        root = urlsplit(created.get("artifact_uri", ""))
        if root.scheme != "mlflow-artifacts":
            return [
                f"files are not logged to MLflow: its artifacts are at {root.scheme or 'a path'}"
            ]
        files = [*run.record.outputs]
        if run.record.predictions is not None:
            files.append(run.record.predictions)
        for file in files:
            path = quote(f"{root.path.strip('/')}/outputs/{file.path}")
            answer = self._client.put(
                f"api/2.0/mlflow-artifacts/artifacts/{path}", content=self._pieces(file)
            )
            answer.raise_for_status()
        return []

    def _pieces(self, file: RunFile) -> Iterator[bytes]:
        return read_file(self._store, file)

    def _post(self, what: str, document: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post(f"api/2.0/mlflow/{what}", json=document)
        if answer.status_code >= 400:
            raise ValueError(f"{what} gave status {answer.status_code}: {answer.text[:200]}")
        found: dict[str, Any] = answer.json()
        return found


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in values.items()]


def _text(value: Any) -> str:
    return str(value)[:_MAX_VALUE]


def _milliseconds(started: str) -> int:
    return int(datetime.fromisoformat(started.replace("Z", "+00:00")).timestamp() * 1000)
