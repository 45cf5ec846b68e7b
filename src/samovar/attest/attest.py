"""Attest a bundle: replay its receipt here, say what it was made of, sign both."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.attest.attach import attach_statement
from samovar.attest.statements import bundle_provenance, index_provenance, verdict_statement
from samovar.core.manifest import Index
from samovar.env.machine import machine_facts

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from samovar.attest.keys import PrivateKey
    from samovar.bundle.opened import Bundle
    from samovar.bundle.verify import Verification
    from samovar.core.attestation import Statement
    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An attestation that was just stored.

    Parameters
    ----------
    digest : Digest
        Of its manifest.
    subject : Digest
        What it is attached to.
    predicate_type : str
        URI of what it says.
    """

    digest: Digest
    subject: Digest
    predicate_type: str

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``attest`` prints."""
        return {
            "digest": str(self.digest),
            "subject": str(self.subject),
            "predicate": self.predicate_type,
        }


def attest(
    store: Store,
    bundle: Bundle,
    root: Descriptor,
    key: PrivateKey,
    *,
    found: Verification | None,
    machine: str | None,
    created: datetime,
    valid_for: timedelta | None,
) -> list[Attached]:
    """Sign what is known of a bundle and store it as its referrers.

    Parameters
    ----------
    root : Descriptor
        The index that lists the bundle and its images, or the bundle itself.
    found : Verification, optional
        Of a replay on this machine just now; None signs the provenance alone.
    machine : str, optional
        What to call this machine; by default its host name.
    created : datetime
        In UTC.
    valid_for : timedelta, optional
        How long the verdict holds.
    """
    statements: list[tuple[Statement, list[Descriptor]]] = []
    if found is not None:
        statement = verdict_statement(
            bundle,
            found,
            machine=machine or platform.node() or "unnamed",
            facts=machine_facts(),
            created=created,
            valid_for=valid_for,
        )
        statements.append((statement, [bundle.descriptor]))
    statements.append((bundle_provenance(bundle), [bundle.descriptor]))
    if root.digest != bundle.digest:
        index = store.read_document(root)
        if isinstance(index, Index):
            images = [child for child in index.manifests if child.digest != bundle.digest]
            statements.append((index_provenance(bundle, root, index), [root, *images]))
    return [
        Attached(
            digest=descriptor.digest,
            subject=subject.digest,
            predicate_type=statement.predicate_type,
        )
        for statement, subjects in statements
        for subject, descriptor in zip(
            subjects, attach_statement(store, statement, key, subjects), strict=True
        )
    ]
