"""Runs in the store: one manifest each, with a configuration that is the record.

A run is named ``runs/NAME`` in the store, with its short digest as the tag, so that runs of one
name stand beside each other; the newest of them is what the name means.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from samovar.bundle.checking import check_content
from samovar.core import media_types
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.manifest import Manifest
from samovar.core.reference import Reference, check_name
from samovar.core.run import FINISHED, RunRecord
from samovar.errors import Damaged, InvalidReference, NotFound
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samovar.core.digest import Digest
    from samovar.store.layout import Store

_PREFIX: Final = "runs/"
_BLOB: Final = "application/vnd.samovar.run.blob.v1"
_MIN_PREFIX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A stored run.

    Parameters
    ----------
    name : str
        What it was called.
    descriptor : Descriptor
        Of its manifest; the digest is the run's.
    record : RunRecord
        What it is.
    """

    name: str
    descriptor: Descriptor
    record: RunRecord

    @property
    def digest(self) -> Digest:
        """The run's digest."""
        return self.descriptor.digest


def store_run(store: Store, name: str, record: RunRecord, *, extra: Iterable[Digest] = ()) -> Run:
    """Store a run whose files are stored already, and name it.

    Parameters
    ----------
    name : str
        What it is to be called.
    record : RunRecord
        What it is.
    extra : iterable of Digest
        Blobs that belong to it besides what the record names (wheels of its lock).
    """
    config = canonical_json(record.to_json())
    with store.writing():
        blobs = dict.fromkeys([*record.blobs(), *extra])
        manifest = Manifest(
            artifact_type=media_types.RUN_MANIFEST,
            config=Descriptor(
                media_type=media_types.RUN_RECORD,
                digest=store.put_bytes(config),
                size_bytes=len(config),
            ),
            layers=tuple(
                Descriptor(
                    media_type=_BLOB,
                    digest=digest,
                    size_bytes=store.blob_path(digest).stat().st_size,
                )
                for digest in blobs
            ),
            annotations={"org.opencontainers.image.title": name},
        )
        descriptor = store.put_document(manifest)
        store.set_name(_reference(name, descriptor.digest), descriptor)
    return Run(name=name, descriptor=descriptor, record=record)


def read_run(store: Store, descriptor: Descriptor) -> Run:
    """Read a run.

    Raises
    ------
    NotFound
        Where the descriptor leads to something else.
    """
    manifest = store.read_document(descriptor)
    if not isinstance(manifest, Manifest) or manifest.artifact_type != media_types.RUN_MANIFEST:
        raise NotFound(
            f"{descriptor.digest} is not a run.", hint="See 'samovar runs'.", code="not_a_run"
        )
    try:
        document = json.loads(store.read_blob(manifest.config))
    except ValueError as error:
        raise Damaged(f"The record {manifest.config.digest} is not JSON.") from error
    return Run(
        name=manifest.annotations.get("org.opencontainers.image.title", "run"),
        descriptor=descriptor,
        record=RunRecord.from_json(document),
    )


def list_runs(store: Store) -> list[Run]:
    """Give all runs, failed ones too, oldest first."""
    found: dict[Digest, Run] = {}
    for descriptor in store.names().values():
        if descriptor.artifact_type == media_types.RUN_MANIFEST:
            found.setdefault(descriptor.digest, read_run(store, descriptor))
    return sorted(found.values(), key=lambda run: (run.record.started, str(run.digest)))


def find_run(store: Store, text: str) -> Run:
    """Find a run by its name, its digest, the beginning of that, or a registry reference.

    Raises
    ------
    NotFound
        Where there is none, or several begin so.
    """
    listed = list_runs(store)
    runs = [run for run in listed if run.record.status == FINISHED]
    by_name = [run for run in runs if run.name == text]
    if by_name:
        return by_name[-1]
    beginning = text.removeprefix("sha256:")
    if len(beginning) >= _MIN_PREFIX and all(letter in "0123456789abcdef" for letter in beginning):
        matching = [run for run in listed if run.digest.hex.startswith(beginning)]
        if len(matching) == 1:
            return matching[0]
    try:
        return read_run(store, store.resolve(Reference.parse(text)))
    except (NotFound, InvalidReference):
        from difflib import get_close_matches

        if any(run.name == text for run in listed):
            raise NotFound(
                f"The run {text!r} failed, so it has no result.",
                hint="'samovar runs' lists those that finished, with --failed the others.",
                code="failed_run",
            ) from None
        near = get_close_matches(text, [run.name for run in runs], 1)
        raise NotFound(
            f"There is no run {text!r}.",
            hint=f"Did you mean {near[0]!r}?"
            if near
            else "See 'samovar runs' for those there are.",
            code="no_run",
        ) from None


def find_or_pull_run(store: Store, text: str, progress: Callable[[str], None]) -> Run:
    """Find a run as :func:`find_run` does; one that a registry has is pulled first.

    Raises
    ------
    NotFound
        Where it is neither here nor there.
    """
    try:
        return find_run(store, text)
    except NotFound:
        reference = _registry_reference(text)
        if reference is None or is_offline():
            raise
    from samovar.registry.pull import pull  # HTTP is slow to import and seldom needed here

    progress(f"Pulling {reference}")
    pulled = pull(store, reference, check=partial(check_content, store.blobs))
    return read_run(store, pulled.descriptor)


def _registry_reference(text: str) -> Reference | None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return None
    return reference if reference.is_remote else None


def new_name(store: Store, project: str) -> str:
    """Give a name that no run has: the project's, with the next number."""
    taken = {run.name for run in list_runs(store)}
    number = len(taken) + 1
    while f"{project}-{number}" in taken:
        number += 1
    return f"{project}-{number}"


def check_run_name(name: str) -> str:
    """Return the name, if a run can be called so."""
    check_name(_PREFIX + name)
    return name


def _reference(name: str, digest: Digest) -> Reference:
    return Reference.parse(f"{_PREFIX}{name}:{digest.short}")
