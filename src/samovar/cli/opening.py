"""From the words on the line to names in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.core.reference import DEFAULT_TAG, Reference
from samovar.errors import InvalidReference, NotFound
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.core.descriptor import Descriptor


def open_store() -> Store:
    """Open the store in ``SAMOVAR_HOME``."""
    return Store(Home.locate().store)


def local_reference(text: str) -> Reference:
    """Read a name or digest of the store.

    Raises
    ------
    InvalidReference
        Where it is malformed.
    """
    return Reference.parse(f"bundle@{text}" if text.startswith("sha256:") else text)


def new_name(text: str) -> Reference:
    """Read a name that is about to be given; a digest is none."""
    reference = Reference.parse(text)
    if reference.digest is not None:
        raise InvalidReference(f"{text!r} is a digest, not a name.", hint="Give NAME or NAME:TAG.")
    return reference


def find(store: Store, text: str) -> tuple[Reference, Descriptor]:
    """Find what a name or digest in the store points to; also a run's name, or its id's beginning.

    Raises
    ------
    NotFound
        Where there is neither.
    """
    reference = local_reference(text)
    try:
        return reference, store.resolve(reference)
    except NotFound as missing:
        from samovar.record.runs import find_run  # records are slow to import, and seldom meant

        try:
            descriptor = find_run(store, text).descriptor
        except NotFound:
            raise missing from None
        return next(iter(names_of(store, descriptor)), reference), descriptor


def names_of(store: Store, descriptor: Descriptor) -> list[Reference]:
    """Give the names that point to a manifest or index."""
    return [
        Reference.parse(name)
        for name, found in store.names().items()
        if found.digest == descriptor.digest
    ]


def familiar(name: str) -> str:
    """Leave out the tag that everybody assumes.

    Examples
    --------
    >>> familiar("titanic:latest"), familiar("titanic:1.0")
    ('titanic', 'titanic:1.0')
    """
    return name.removesuffix(f":{DEFAULT_TAG}")
