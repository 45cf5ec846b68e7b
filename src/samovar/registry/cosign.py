"""Let cosign find attestations: the tag ``sha256-….att``, beside the referrers.

cosign looks for a manifest under that tag whose layers are DSSE envelopes, each with its predicate
type and an (empty) signature as annotations. It is made of the referrers when they are pushed, and
of the layers that the tag had: attestations of other machines stay.

References
----------
sigstore/cosign, specs/SIGNATURE_SPEC.md and ATTESTATION_SPEC.md, "Storage".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.manifest import Manifest, describe
from samovar.registry.upload import push_blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samovar.core.digest import Digest
    from samovar.registry.progress import Tally
    from samovar.registry.remote import Remote
    from samovar.store.layout import Store

_MAX_LAYERS: Final = 1000
"""cosign reads no more; the oldest go."""


def attestation_tag(subject: Digest) -> str:
    """Give the tag under which cosign looks for a digest's attestations."""
    return f"sha256-{subject.hex}.att"


def add_attestation_tags(
    remote: Remote, store: Store, referrers: Iterable[Descriptor], tally: Tally
) -> None:
    """Add the envelopes among referrers that were pushed to their subjects' tags."""
    layers: dict[Digest, list[Descriptor]] = {}
    for referrer in referrers:
        content = store.read_document(referrer)
        if isinstance(content, Manifest) and content.subject is not None:
            layers.setdefault(content.subject.digest, []).extend(
                one for one in content.layers if one.media_type == media_types.IN_TOTO_ENVELOPE
            )
    for subject, found in layers.items():
        if found:
            _add(remote, store, attestation_tag(subject), found, tally)


def _add(
    remote: Remote, store: Store, tag: str, layers: Sequence[Descriptor], tally: Tally
) -> None:
    before = _layers_under(remote, tag)
    known = {layer.digest for layer in before}
    added = [layer for layer in layers if layer.digest not in known]
    if not added:
        return
    merged = (*before, *added)[-_MAX_LAYERS:]
    data = _configuration(merged)
    config = Descriptor(
        media_type=media_types.OCI_CONFIG, digest=store.put_bytes(data), size_bytes=len(data)
    )
    tally.expect(config.size_bytes)
    push_blob(remote, store, config, tally)
    descriptor, document = describe(Manifest(config=config, layers=merged))
    tally.expect(descriptor.size_bytes)
    remote.put_document(tag, descriptor, document)
    tally.arrived(descriptor.size_bytes)
    tally.moved(descriptor.size_bytes)


def _layers_under(remote: Remote, tag: str) -> tuple[Descriptor, ...]:
    found = remote.read_document(tag)
    if found is None or found[0].media_type not in media_types.MANIFESTS:
        return ()
    return Manifest.from_bytes(found[1]).layers


def _configuration(layers: Sequence[Descriptor]) -> bytes:
    """Give the configuration of an image that cannot run, as cosign writes it."""
    return canonical_json(
        {
            "architecture": "",
            "config": {},
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(layer.digest) for layer in layers]},
        }
    )
