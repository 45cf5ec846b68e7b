"""Speak to an MLflow server by its REST interface: MLflow's own packages are not needed.

References
----------
MLflow documentation, "REST API" (2.0), and "MLflow Artifacts Service".
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

ARTIFACTS: Final = "mlflow-artifacts"


def credentials() -> dict[str, str]:
    """Give the header that a server with tokens asks for."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {} if not token else {"Authorization": f"Bearer {token}"}


class Server:
    """A server that runs are logged to.

    Parameters
    ----------
    client : httpx.Client
        Has the server's address, and credentials.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def version(self) -> str:
        """Give MLflow's version there."""
        answer = self._client.get("version")
        answer.raise_for_status()
        return answer.text.strip()

    def experiment(self, name: str) -> str:
        """Give the identity of an experiment, which is made where there is none."""
        found = self._client.get(
            "api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": name}
        )
        if found.status_code == 200:
            return str(found.json()["experiment"]["experiment_id"])
        return str(self.send("experiments/create", {"name": name})["experiment_id"])

    def send(self, what: str, document: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        """Call the interface.

        Raises
        ------
        ValueError
            With what the server said against it.
        """
        answer = self._client.request(method, f"api/2.0/mlflow/{what}", json=document)
        if answer.status_code >= 400:
            raise ValueError(f"{what} gave status {answer.status_code}: {answer.text[:200]}")
        found: dict[str, Any] = answer.json()
        return found

    def upload(self, root: str, path: str, content: bytes | Iterator[bytes]) -> None:
        """Put a file below an address of artifacts."""
        where = quote(f"{urlsplit(root).path.strip('/')}/{path}")
        answer = self._client.put(f"api/2.0/mlflow-artifacts/artifacts/{where}", content=content)
        answer.raise_for_status()
