"""Bring back what the store lost, from whoever still has it: registries and saved tar files.

A blob is known by its digest, so whoever has the right bytes will do. What is whole is never
touched, and what cannot be brought back stays as it is, for whoever wants to look at it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from samovar.bundle.archive import named_roots
from samovar.bundle.checking import check_content
from samovar.core import media_types
from samovar.core.reference import Reference
from samovar.errors import Damaged, NotFound, SamovarError, Unavailable
from samovar.store.atomic import sync_folder
from samovar.store.check import Problem, Report, examine
from samovar.store.reach import walk
from samovar.store.unpack import extract_tar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.registry.remote import Remote
    from samovar.store.home import Home
    from samovar.store.layout import Store

_CHUNK = 1024 * 1024


class Source(Protocol):
    """Something that may have lost blobs."""

    name: str

    def bring(self, store: Store, digest: Digest, descriptor: Descriptor | None) -> bool:
        """Put a blob into the store, checked; False where it has none, or a damaged one."""

    def roots(self) -> list[tuple[Reference, Descriptor]]:
        """Give the names that it has, for a store whose own are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A blob or a name that is back."""

    digest: str
    source: str

    def to_json(self) -> dict[str, str]:
        """Give the object that ``fsck --repair`` prints."""
        return {"digest": self.digest, "from": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What ``fsck --repair`` did.

    Parameters
    ----------
    brought : tuple of Brought
        What is back.
    problems : tuple of Problem
        What could not be brought back.
    silent : tuple of str
        Registries that were not asked, or did not answer, and why.
    """

    brought: tuple[Brought, ...]
    problems: tuple[Problem, ...]
    silent: tuple[str, ...]


@dataclass(slots=True)
class Layout:
    """An image layout in a folder."""

    name: str
    folder: Path

    def bring(self, store: Store, digest: Digest, descriptor: Descriptor | None) -> bool:
        """Put a blob into the store."""
        path = self.folder / "blobs" / "sha256" / digest.hex
        try:
            with path.open("rb") as file:
                store.put_stream(iter(lambda: file.read(_CHUNK), b""), expected=digest)
        except (FileNotFoundError, Damaged):
            return False
        return True

    def roots(self) -> list[tuple[Reference, Descriptor]]:
        """Give the layout's names."""
        return named_roots(self.folder)


@dataclass(slots=True)
class Registry:
    """A repository of a registry."""

    name: str
    reference: Reference
    remote: Remote

    def bring(self, store: Store, digest: Digest, descriptor: Descriptor | None) -> bool:
        """Put a blob, or a manifest, into the store."""
        from samovar.registry.download import fetch_blob
        from samovar.registry.progress import Tally

        documents = media_types.MANIFESTS | media_types.INDEXES
        try:
            if descriptor is not None and descriptor.media_type not in documents:
                fetch_blob(self.remote, store, descriptor, Tally())
                return True
            found = self.remote.read_document(str(digest), descriptor)
        except (NotFound, Damaged):
            return False
        if found is None:
            return False
        store.put_bytes(found[1])
        return True

    def roots(self) -> list[tuple[Reference, Descriptor]]:
        """Give the one name that was asked for."""
        from samovar.registry.remote import read_root

        return [(self.reference, read_root(self.remote, self.reference)[0])]


@dataclass(slots=True, kw_only=True)
class _Repair:
    """One repair on its way."""

    store: Store
    brought: list[Brought] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def run(self, report: Report, source: Source) -> Report:
        """Bring back what a source has; manifests may tell what else is lost."""
        roots: list[tuple[Reference, Descriptor]] = source.roots() if report.names_lost else []
        tried: set[Digest] = set()
        while True:
            report = examine(
                self.store, altered=report.altered, more_roots=[root for _, root in roots]
            )
            waiting = [digest for digest in report.lost if digest not in tried]
            if not waiting:
                break
            altered = dict(report.altered)
            for digest in waiting:
                tried.add(digest)
                with self.store.writing():
                    if not source.bring(self.store, digest, report.lost[digest]):
                        continue
                altered.pop(digest, None)
                self.brought.append(Brought(digest=str(digest), source=source.name))
            report = Report(
                problems=report.problems, altered=altered, lost={}, names_lost=report.names_lost
            )
        sync_folder(self.store.blobs)
        whole = [(name, root) for name, root in roots if self._is_whole(root, report)]
        if whole:
            self._name(whole, source)
        return examine(self.store, altered=report.altered)

    def _is_whole(self, root: Descriptor, report: Report) -> bool:
        """Say whether all that a root reaches is here, and check what it holds as a pull does."""
        try:
            reached = list(walk(self.store, root))
        except Damaged:
            return False
        if any(one.digest in report.lost for one in reached):
            return False
        for one in reached:
            if one.media_type in media_types.MANIFESTS:
                check_content(self.store.blobs, one)
        return True

    def _name(self, roots: Sequence[tuple[Reference, Descriptor]], source: Source) -> None:
        """Begin a new file of names; the lost one is kept beside it."""
        self.store.set_names_aside()
        for reference, root in roots:
            self.store.set_name(reference, root)
            self.brought.append(Brought(digest=str(reference), source=source.name))


def repair(home: Home, store: Store, sources: Sequence[str]) -> Repaired:
    """Check the store, and bring back what is lost.

    Parameters
    ----------
    sources : sequence of str
        Tar files, layout folders, or references to ask first. The registries of the store's own
        names are asked for what is still lost then, unless connections are switched off.

    Raises
    ------
    NotFound, UserError
        Where a named source is none.
    Unavailable
        Where a named registry does not answer.
    """
    work = _Repair(store=store)
    report = examine(store)
    for text in sources:
        with _opened(home, text) as source:
            report = work.run(report, source)
    if report.lost and not report.names_lost:
        report = _ask_registries(work, report)
    return Repaired(
        brought=tuple(work.brought),
        problems=examine(store).problems if work.brought else report.problems,
        silent=tuple(work.silent),
    )


def _ask_registries(work: _Repair, report: Report) -> Report:
    from samovar.store.home import is_offline

    for text in work.store.names():
        reference = Reference.parse(text)
        if not reference.is_remote or not report.lost:
            continue
        if is_offline():
            work.silent.append(f"{reference} was not asked: connections are switched off")
            continue
        try:
            with _registry(reference) as source:
                report = work.run(report, source)
        except Unavailable as error:
            work.silent.append(f"{reference} did not answer: {error.message}")
    return report


@contextmanager
def _opened(home: Home, text: str) -> Iterator[Source]:
    """Open what a person named: a file, a folder, or a reference."""
    from pathlib import Path

    path = Path(text).expanduser()
    if path.is_dir():
        named_roots(path)  # refuses what is no layout
        yield Layout(text, path)
    elif path.is_file():
        with home.workspace() as workspace, path.open("rb") as file:
            folder = workspace / "layout"
            folder.mkdir()
            extract_tar(file, folder)
            named_roots(folder)
            yield Layout(text, folder)
    else:
        try:
            reference = Reference.parse(text)
        except SamovarError:
            reference = None
        if reference is None or not reference.is_remote:
            raise NotFound(
                f"{text} is neither a file nor a reference in a registry.",
                hint="Give a tar file that 'samovar save' wrote, or HOST/NAME:TAG.",
            )
        with _registry(reference) as source:
            yield source


@contextmanager
def _registry(reference: Reference) -> Iterator[Registry]:
    from samovar.registry.remote import opened

    with opened(reference) as remote:
        yield Registry(str(reference), reference, remote)
