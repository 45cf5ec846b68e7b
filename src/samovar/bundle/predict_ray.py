"""Score the files of a folder on the nodes of a running Ray cluster.

Ray's actors hold the model; a file goes there as bytes and comes back as bytes, so that the nodes
need no file system in common, and what is written here has the names and the order of the input.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.cluster import connect_ray
from samovar.bundle.opened import open_bundle
from samovar.bundle.predict import scoring
from samovar.bundle.predict_folder import score_file
from samovar.errors import SamovarError, Unavailable, UserError
from samovar.store.atomic import write_file
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from samovar.bundle.predict_folder import Asked
    from samovar.core.descriptor import Descriptor

    Progress = Callable[[str], None]

_RETRIES: Final = 5
"""How many nodes may be lost under one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What a node needs in order to score any file.

    Parameters
    ----------
    bundle : Descriptor
        The bundle.
    blobs : tuple of bytes
        All that it is made of.
    method : str, optional
        Another method than the bundle's.
    keep : tuple of str
        Columns that go along.
    """

    bundle: Descriptor
    blobs: tuple[bytes, ...]
    method: str | None
    keep: tuple[str, ...]


class Station:
    """A process of the cluster that holds the model, in a home of its node's own.

    Parameters
    ----------
    cargo : Cargo
        What it needs.
    """

    def __init__(self, cargo: Cargo) -> None:
        home = Home.locate()
        store = Store(home.store)
        with store.writing():
            for blob in cargo.blobs:
                store.put_bytes(blob)
        self._keep = cargo.keep
        self._bundle = open_bundle(store, cargo.bundle)
        with ExitStack() as stack:
            self._workspace = stack.enter_context(home.workspace())
            self._scorer = stack.enter_context(
                scoring(
                    home, store, self._bundle, self._workspace, cargo.method, None, _say_nothing
                )
            )
            self._stack = stack.pop_all()

    def score(self, name: str, data: bytes) -> tuple[int, bytes]:
        """Score a file's bytes; gives the number of rows and the bytes of the output."""
        source, target = self._workspace / "asked" / name, self._workspace / "scored" / name
        source.parent.mkdir(exist_ok=True)
        target.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        signature = self._bundle.document.signature
        rows = score_file(self._scorer, self._workspace, signature, source, target, self._keep)
        scored = target.read_bytes()
        source.unlink()
        target.unlink()
        return rows, scored

    def close(self) -> None:
        """End the model's process and remove what was unpacked."""
        self._stack.close()


def score_on_ray(
    home: Home,
    store: Store,
    asked: Asked,
    source: Path,
    target: Path,
    files: Sequence[Path],
    progress: Progress,
) -> Iterator[tuple[Path, int]]:
    """Score files on the cluster and give each as it is written, with its number of rows.

    Raises
    ------
    Unavailable
        Where Ray is not installed, no cluster answers, or every node that tried a file was lost.
    UserError
        Where an interpreter was named: nodes make the environment from the lock.
    """
    if asked.python is not None:
        raise UserError(
            "--python names an interpreter of this machine.",
            hint="Leave it out: each node makes the environment from the lock.",
        )
    if not files:
        return
    ray = connect_ray()
    try:
        # Ray writes news of its nodes to stdout, which is the answer's alone.
        with redirect_stdout(sys.stderr):
            cargo = Cargo(
                bundle=asked.bundle.descriptor,
                blobs=tuple(_blobs(store, asked)),
                method=asked.method,
                keep=asked.keep,
            )
            yield from _spread(ray, cargo, source, target, files, progress)
    finally:
        ray.shutdown()


def _spread(
    ray: Any, cargo: Cargo, source: Path, target: Path, files: Sequence[Path], progress: Progress
) -> Iterator[tuple[Path, int]]:
    """Keep every station busy with one file until all are scored."""
    count = max(1, min(len(files), int(ray.cluster_resources().get("CPU", 1))))
    progress(f"Starting {count} processes on the cluster")
    shared = ray.put(cargo)
    kind = ray.remote(num_cpus=1, max_restarts=_RETRIES, max_task_retries=_RETRIES)(Station)
    idle = [kind.remote(shared) for _ in range(count)]
    stations = list(idle)
    waiting: dict[Any, tuple[Path, Any]] = {}
    rest = iter(files)
    file = next(rest, None)
    while waiting or file is not None:
        while idle and file is not None:
            station = idle.pop()
            data = (source / file).read_bytes()
            waiting[station.score.remote(file.name, data)] = (file, station)
            file = next(rest, None)
        (reference,), _ = ray.wait(list(waiting), num_returns=1)
        scored, station = waiting.pop(reference)
        rows, content = _get(ray, reference)
        idle.append(station)
        (target / scored).parent.mkdir(parents=True, exist_ok=True)
        write_file(target / scored, content)
        yield scored, rows
    ray.get([station.close.remote() for station in stations])


def _get(ray: Any, reference: Any) -> tuple[int, bytes]:
    try:
        rows, content = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, SamovarError):
            raise cause from None
        raise Unavailable("A node of the cluster failed.", why=str(cause)) from error
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, SamovarError):
            raise cause from None
        raise Unavailable(
            "The cluster lost a file on every node that tried it.",
            why=str(error).splitlines()[0],
            hint="Is there enough memory on the nodes? What was finished is kept.",
        ) from error
    return int(rows), bytes(content)


def _blobs(store: Store, asked: Asked) -> Iterator[bytes]:
    manifest = asked.bundle.manifest
    for blob in {one.digest: one for one in (asked.bundle.descriptor, *manifest.blobs)}.values():
        yield store.read_blob(blob)


def _say_nothing(_text: str) -> None:
    """Take the news of a node, where nobody is to be told."""
