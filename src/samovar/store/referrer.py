"""Attach something to a digest: an OCI artifact that names it as its subject.

References
----------
OCI image specification, manifest.md, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.store.layout import Store
    from samovar.store.together import Together

_EMPTY: Final = b"{}"


def attach(
    store: Store | Together,
    subject: Descriptor,
    data: bytes,
    artifact_type: str,
    annotations: Mapping[str, str],
    *,
    layer_annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Store an artifact of one blob and give its manifest's descriptor.

    The caller keeps ``gc`` away (`Store.writing`) until a name reaches the subject.

    Parameters
    ----------
    subject : Descriptor
        What it belongs to: registries list it as a referrer of that, and ``gc`` keeps it with it.
    data : bytes
        The blob, of the artifact's type.
    annotations : mapping of str to str
        Of the manifest; of the blob too, unless others are given.
    """
    config = store.put_bytes(_EMPTY)
    blob = Descriptor(
        media_type=artifact_type,
        digest=store.put_bytes(data),
        size_bytes=len(data),
        annotations=annotations if layer_annotations is None else layer_annotations,
    )
    return store.put_document(
        Manifest(
            artifact_type=artifact_type,
            config=Descriptor(
                media_type=media_types.OCI_EMPTY, digest=config, size_bytes=len(_EMPTY)
            ),
            layers=(blob,),
            subject=Descriptor(
                media_type=subject.media_type,
                digest=subject.digest,
                size_bytes=subject.size_bytes,
            ),
            annotations=annotations,
        )
    )
