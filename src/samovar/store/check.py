"""Check the store: every blob against its digest, every name against what it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.core.manifest import Index
from samovar.errors import Damaged
from samovar.store.digests import digest_file
from samovar.store.reach import attached_documents, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store

NAMES = "index.json"
_DOCUMENTS = media_types.MANIFESTS | media_types.INDEXES


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong in the store.

    Parameters
    ----------
    digest : str
        Of the blob; the name of the file where it is no digest.
    what : str
        What is wrong, and which name needs it.
    """

    digest: str
    what: str

    def to_json(self) -> dict[str, str]:
        """Give the object that ``fsck`` prints."""
        return {"digest": self.digest, "what": self.what}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is wrong, and what would have to be brought back.

    Parameters
    ----------
    problems : tuple of Problem
        Each thing once for every name that needs it.
    altered : mapping of Digest to str
        Blobs that are there and are not what they are called, and how they are not.
    lost : mapping of Digest to Descriptor or None
        What is altered or missing; with its descriptor where something whole still has it.
    names_lost : bool
        Whether the file of names cannot be read.
    """

    problems: tuple[Problem, ...]
    altered: Mapping[Digest, str]
    lost: Mapping[Digest, Descriptor | None]
    names_lost: bool


def check(store: Store) -> list[Problem]:
    """Read every blob and every name, and list exactly what is wrong."""
    return list(examine(store).problems)


def examine(
    store: Store,
    *,
    altered: Mapping[Digest, str] | None = None,
    more_roots: Iterable[Descriptor] = (),
) -> Report:
    """Check the store, and find out what something whole still says of what is lost.

    Parameters
    ----------
    altered : mapping, optional
        Known from an earlier report; then no blob is hashed again.
    more_roots : iterable of Descriptor
        What is to be reached beside what names point to.
    """
    with store.writing():
        if altered is None:
            altered = dict(_altered(store))
        problems = [Problem(digest=str(one), what=what) for one, what in altered.items()]
        lost: dict[Digest, Descriptor | None] = dict.fromkeys(altered)
        roots = [("what is to be repaired", root) for root in more_roots]
        names_lost = False
        try:
            roots += store.names().items()
        except Damaged as error:
            names_lost = True
            problems.append(Problem(digest=NAMES, what=error.message))
        documents = attached_documents(store)
        for name, root in roots:
            for found, what in _survey(store, name, root, altered, documents):
                if found.digest in altered:
                    lost[found.digest] = found
                    continue
                if not store.has_blob(found.digest):
                    lost[found.digest] = found
                if what is not None:
                    problems.append(Problem(digest=str(found.digest), what=what))
    return Report(problems=tuple(problems), altered=altered, lost=lost, names_lost=names_lost)


def _altered(store: Store) -> Iterator[tuple[Digest, str]]:
    for path in sorted(store.blobs.iterdir()):
        what = _what_is_wrong(path)
        if what is not None:
            yield Digest(f"sha256:{path.name}"), what


def _what_is_wrong(path: Path) -> str | None:
    try:
        found = digest_file(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found.hex != path.name:
        return f"altered: its bytes have the digest {found}"
    return None


def _survey(
    store: Store,
    name: str,
    root: Descriptor,
    altered: Mapping[Digest, str],
    documents: Iterable[Descriptor],
) -> Iterator[tuple[Descriptor, str | None]]:
    """Give all that a name's root and its referrers reach, past what is lost, and what is wrong."""
    reached: set[Digest] = set()
    yield from _survey_from(store, name, root, altered, reached)
    for document in documents:
        if subject_of(store, document) in reached:
            yield from _survey_from(store, name, document, altered, reached)


def _survey_from(
    store: Store, name: str, root: Descriptor, altered: Mapping[Digest, str], reached: set[Digest]
) -> Iterator[tuple[Descriptor, str | None]]:
    waiting = [root]
    while waiting:
        current = waiting.pop()
        if current.digest in reached:
            continue
        reached.add(current.digest)
        if current.digest in altered:
            yield current, altered[current.digest]
        elif not store.has_blob(current.digest):
            yield current, f"missing, needed by {name}"
        elif not store.has_blob(current.digest, current.size_bytes):
            yield current, f"of another size in {name}"
        elif current.media_type not in _DOCUMENTS:
            yield current, None
        else:
            try:
                content = store.read_document(current)
            except Damaged as error:
                yield current, f"{name}: {error.message}"
                continue
            yield current, None
            children = content.manifests if isinstance(content, Index) else content.blobs
            waiting.extend(reversed(children))
