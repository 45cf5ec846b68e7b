"""Hand an image to the Docker engine over its API, with only the layers that it lacks.

References
----------
Docker Engine API 1.41: ``/images/json``, ``/images/{id}/json``, ``/images/load``.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import SamovarError, Unavailable
from samovar.image.config import BUNDLE_DIGEST
from samovar.image.docker_archive import docker_name, load_answer, write_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    import httpx

    from samovar.core.digest import Digest
    from samovar.core.reference import Reference
    from samovar.image.made import Image
    from samovar.store.layout import Store

_DEFAULT: Final = "unix:///var/run/docker.sock"
_API: Final = "/v1.40"
_SHORT_S: Final = 30.0
_MOST_IMAGES: Final = 50


def load_image(store: Store, image: Image, name: Reference) -> None:
    """Load an image into the engine that ``DOCKER_HOST`` names.

    Parameters
    ----------
    image : Image
        For the engine's platform.
    name : Reference
        What it is to be called there.

    Raises
    ------
    Unavailable
        Where no engine answers, or it refuses the image.
    """
    with _client() as client:
        known = _known_layers(client, image)
        if known is None:
            _tag(client, image, name)
            return
        try:
            _load(client, store, image, name, without=known)
        except Unavailable:
            if not known:
                raise
            # Layers may have been removed meanwhile, or are kept in another way than we think.
            _load(client, store, image, name, without=frozenset())


def _client() -> httpx.Client:
    import httpx

    host = os.environ.get("DOCKER_HOST") or _DEFAULT
    timeout = httpx.Timeout(_SHORT_S, read=None)
    if host.startswith("unix://"):
        path = host.removeprefix("unix://")
        if not os.path.exists(path):  # noqa: PTH110 - a socket's path as it is written
            raise _no_engine(host, "There is no such socket.")
        transport = httpx.HTTPTransport(uds=path)
        return httpx.Client(transport=transport, base_url="http://docker", timeout=timeout)
    if host.startswith("tcp://") and not os.environ.get("DOCKER_TLS_VERIFY"):
        address = f"http://{host.removeprefix('tcp://')}"
        return httpx.Client(base_url=address, timeout=timeout, trust_env=False)
    raise Unavailable(
        f"samovar does not speak to an engine at {host}.",
        hint="Write an archive with '-o FILE.tar --archive docker' and use 'docker load'.",
        code="no_engine",
    )


def _ask(client: httpx.Client, path: str, **parameters: str) -> Any:
    import httpx

    try:
        response = client.get(f"{_API}{path}", params=parameters)
        response.raise_for_status()
        return response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _no_engine(os.environ.get("DOCKER_HOST") or _DEFAULT, str(error)) from error


def _known_layers(client: httpx.Client, image: Image) -> AbstractSet[Digest] | None:
    """Find the lowest layers that the engine has already; None where it has the very image."""
    wanted = [layer.diff_id for layer in image.layers]
    best = 0
    label = f'{{"label":["{BUNDLE_DIGEST}"]}}'
    for found in _ask(client, "/images/json", filters=label)[:_MOST_IMAGES]:
        if found.get("Id") == str(image.config_digest):
            return None
        with suppress(SamovarError, KeyError, TypeError):
            has = _ask(client, f"/images/{found['Id']}/json")["RootFS"]["Layers"]
            same = 0
            while same < min(len(has), len(wanted)) and has[same] == str(wanted[same]):
                same += 1
            best = max(best, same)
    return frozenset(wanted[:best])


def _tag(client: httpx.Client, image: Image, name: Reference) -> None:
    repository, _, tag = docker_name(name).rpartition(":")
    response = client.post(
        f"{_API}/images/{image.config_digest}/tag", params={"repo": repository, "tag": tag}
    )
    if response.is_error:
        raise Unavailable(
            "The Docker engine did not name the image.", why=response.text.strip(), code="engine"
        )


def _load(
    client: httpx.Client,
    store: Store,
    image: Image,
    name: Reference,
    *,
    without: AbstractSet[Digest],
) -> None:
    import httpx

    try:
        with _archive(store, image, name, without) as chunks:
            response = client.post(
                f"{_API}/images/load",
                params={"quiet": "1"},
                content=chunks.read_all(),
                headers={"Content-Type": "application/x-tar"},
            )
    except httpx.HTTPError as error:
        raise _no_engine(os.environ.get("DOCKER_HOST") or _DEFAULT, str(error)) from error
    why = response.text.strip() if response.is_error else load_answer(response.content)
    if why is not None:
        raise Unavailable("The Docker engine did not take the image.", why=why, code="engine")


class _archive:  # noqa: N801 - used as a function is
    """The archive's bytes, written by a thread into a pipe while they are sent."""

    def __init__(
        self, store: Store, image: Image, name: Reference, without: AbstractSet[Digest]
    ) -> None:
        self._reader, writer = os.pipe()
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._write, args=(writer, store, image, name, without), daemon=True
        )

    def _write(
        self, writer: int, store: Store, image: Image, name: Reference, without: AbstractSet[Digest]
    ) -> None:
        try:
            with os.fdopen(writer, "wb") as file:
                write_archive(store, image, name, file, without=without)
        except BrokenPipeError:
            pass  # the engine hung up; its answer says why
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error

    def __enter__(self) -> _archive:
        self._thread.start()
        return self

    def read_all(self) -> Iterator[bytes]:
        """Give the bytes; an error of the writer is raised instead of an end."""
        with os.fdopen(self._reader, "rb") as file:
            self._reader = -1
            while chunk := file.read(1 << 20):
                yield chunk
        self._thread.join()
        if self._error is not None:
            raise self._error

    def __exit__(self, *_: object) -> None:
        if self._reader >= 0:
            os.close(self._reader)
        self._thread.join()


def _no_engine(host: str, why: str) -> Unavailable:
    return Unavailable(
        f"No Docker engine answers at {host}.",
        why=why,
        hint="Start it, or set DOCKER_HOST; '-o FILE.tar --archive docker' needs none.",
        code="no_engine",
    )
