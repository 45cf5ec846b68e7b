"""Fetch a model of MLflow into a folder: from its registry, from one of its runs, or a folder.

References
----------
MLflow documentation, "REST API" (2.0), "MLflow Artifacts Service" and "Model URIs".
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from samovar.core.run import path_inside
from samovar.errors import Damaged, NotFound, Unavailable, UserError
from samovar.record.mlflow_server import ARTIFACTS, credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

DESCRIPTION: Final = "MLmodel"
_ADDRESS: Final = re.compile(
    r"models:/(?P<id>m-[0-9a-f]+)"
    r"|models:/(?P<name>[^/@]+)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+))"
    r"|runs:/(?P<run>[^/]+)/(?P<path>.+)"
)
_TIMEOUT_S: Final = 30.0
_MAX_FILES: Final = 10_000
_MAX_DEPTH: Final = 16
_NOT_FOUND: Final = frozenset({400, 404})


def fetch_model(address: str, into: Path, *, progress: Callable[[str], None]) -> Path:
    """Give the folder of a model of MLflow.

    Parameters
    ----------
    address : str
        ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, ``models:/m-ID``, ``runs:/RUN/PATH``, or
        a folder that has ``MLmodel``.
    into : Path
        Where it is downloaded to; does not exist yet.
    progress : callable
        Is told what is going on.

    Raises
    ------
    NotFound
        Where there is no such model or folder.
    UserError
        Where the address is malformed, or no server is named.
    Unavailable
        Where the server does not answer, or keeps its files elsewhere.
    """
    if not address.startswith(("models:", "runs:")):
        return _local(Path(address.removeprefix("file://")))
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UserError(
            f"{address!r} is no model of MLflow.",
            hint="Write models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN/PATH.",
            code="invalid_reference",
        )
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    if urlsplit(server).scheme not in {"http", "https"}:
        raise UserError(
            "No MLflow server is named.",
            why=f"MLFLOW_TRACKING_URI is {server!r}."
            if server
            else "MLFLOW_TRACKING_URI is unset.",
            hint="Set it to the http address of the server, or give the model's folder.",
            code="no_tracking_uri",
        )
    import httpx

    progress(f"Fetching {address}")
    try:
        with httpx.Client(
            base_url=server.rstrip("/") + "/", timeout=_TIMEOUT_S, headers=credentials()
        ) as client:
            return _Server(client).fetch(found, into)
    except httpx.HTTPError as error:
        raise Unavailable(
            f"The MLflow server at {server.rpartition('@')[2]} does not answer.",
            why=str(error) or type(error).__name__,
            hint="Is MLFLOW_TRACKING_URI right?",
        ) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable(
            "What MLFLOW_TRACKING_URI names does not answer as MLflow does.", why=repr(error)
        ) from error


def _local(folder: Path) -> Path:
    if not (folder / DESCRIPTION).is_file():
        raise NotFound(
            f"{folder} is no model of MLflow: it has no file {DESCRIPTION}.",
            hint="Give the folder that mlflow.MODEL.save_model wrote, or models:/NAME/VERSION.",
        )
    return folder


class _Server:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def fetch(self, address: re.Match[str], into: Path) -> Path:
        place = self._place(address)
        for _ in range(_MAX_DEPTH):
            # A registered version may lead to a logged model, which has the files.
            if not place.startswith("models:/m-"):
                break
            place = self._logged(place.removeprefix("models:/"))
        parts = urlsplit(place)
        if parts.scheme in {"", "file"}:
            return _local(Path(url2pathname(parts.path)))
        if parts.scheme != ARTIFACTS:
            raise Unavailable(
                f"The model's files are in {parts.scheme}, which samovar does not read.",
                hint=f"mlflow artifacts download -u {address[0]} -d DIR; then give that folder.",
                code="artifacts_elsewhere",
            )
        self._download(unquote(parts.path).strip("/"), into)
        return _local(into)

    def _place(self, address: re.Match[str]) -> str:
        """Say where the files of an address are."""
        if address["id"] is not None:
            return self._logged(address["id"])
        if address["run"] is not None:
            return self._of_run(address["run"], address["path"].strip("/"))
        name, version = address["name"], address["version"]
        if address["alias"] is not None:
            found = self._get("registered-models/alias", name=name, alias=address["alias"])
            version = found["model_version"]["version"]
        elif not version.isdigit():
            version = self._newest(name, version)
        where = self._get("model-versions/get-download-uri", name=name, version=version)
        return str(where["artifact_uri"])

    def _newest(self, name: str, stage: str) -> str:
        """Give the newest version, of a stage where it is not ``latest``."""
        listed = self._get("registered-models/get", name=name)["registered_model"]
        versions = [
            int(one["version"])
            for one in listed.get("latest_versions", ())
            if stage == "latest" or one.get("current_stage", "").lower() == stage.lower()
        ]
        if not versions:
            raise NotFound(f"MLflow has no version {stage!r} of {name}.", hint="Give its number.")
        return str(max(versions))

    def _of_run(self, run: str, path: str) -> str:
        found = self._get("runs/get", run_id=run)["run"]
        for output in found.get("outputs", {}).get("model_outputs", ()):
            info = self._get(f"logged-models/{quote(output['model_id'])}")["model"]["info"]
            if info["name"] == path:
                return str(info["artifact_uri"])
        return f"{found['info']['artifact_uri']}/{path}"

    def _logged(self, model: str) -> str:
        return str(self._get(f"logged-models/{quote(model)}")["model"]["info"]["artifact_uri"])

    def _download(self, root: str, into: Path) -> None:
        into.mkdir(parents=True)
        for number, path in enumerate(self._files(root, "", 0)):
            if number >= _MAX_FILES:
                raise Damaged(f"The model has more than {_MAX_FILES} files.")
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            url = f"api/2.0/mlflow-artifacts/artifacts/{quote(f'{root}/{path}')}"
            with self._client.stream("GET", url) as answer, target.open("wb") as file:
                if answer.status_code != 200:
                    raise _refused(answer.status_code, path)
                for piece in answer.iter_bytes():
                    file.write(piece)

    def _files(self, root: str, below: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            raise Damaged(f"The model's folders are more than {_MAX_DEPTH} deep.")
        listed = self._json(
            "api/2.0/mlflow-artifacts/artifacts", {"path": f"{root}/{below}".rstrip("/")}
        )
        for entry in listed.get("files", ()):
            name = path_inside(entry["path"]).rpartition("/")[2]
            path = f"{below}/{name}" if below else name
            if entry.get("is_dir"):
                yield from self._files(root, path, depth + 1)
            else:
                yield path

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        return self._json(f"api/2.0/mlflow/{what}", parameters)

    def _json(self, url: str, parameters: dict[str, str]) -> dict[str, Any]:
        answer = self._client.get(url, params=parameters)
        if answer.status_code != 200:
            raise _refused(answer.status_code, answer.text[:300])
        try:
            document = answer.json()
        except ValueError as error:
            raise Unavailable("The MLflow server answers something else than JSON.") from error
        return document if isinstance(document, dict) else {}


def _refused(status: int, said: str) -> NotFound | Unavailable:
    if status in _NOT_FOUND:
        return NotFound("MLflow has no such model.", why=said, hint="See its page of models.")
    return Unavailable(
        f"The MLflow server refuses with status {status}.",
        why=said,
        hint="Are MLFLOW_TRACKING_TOKEN, or the name and password in MLFLOW_TRACKING_URI, right?",
    )
