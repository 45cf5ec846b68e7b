"""Attach evidence to an image: what is in it (SBOM), and what it was made of (provenance).

Both are OCI artifacts whose ``subject`` is the image's manifest, so registries list them as its
referrers and ``samovar push`` takes them along. They are statements, not signatures.

References
----------
OCI image specification, manifest.md, "Guidelines for Artifact Usage"; in-toto attestation
framework, statement v1; SLSA provenance v1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from samovar import __version__
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.origin import Training
from samovar.image.config import created_time
from samovar.image.sbom import components, cyclonedx
from samovar.store.atomic import write_memory
from samovar.store.referrer import attach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.bundle.opened import Bundle
    from samovar.core.descriptor import Descriptor
    from samovar.image.base import Base
    from samovar.image.made import Image
    from samovar.image.packages import Wheels
    from samovar.image.wheel_choice import ChosenWheel
    from samovar.store.home import Home
    from samovar.store.layout import Store
    from samovar.store.together import Together

SBOM_TYPE: Final = "application/vnd.cyclonedx+json"
STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
_BUILD_TYPE: Final = "https://samovar.dev/build/image/v1"
_VERSION: Final = 1


def attach_evidence(
    home: Home,
    store: Store | Together,
    *,
    bundle: Bundle,
    base: Base,
    wheels: Wheels,
    runtime: Sequence[ChosenWheel],
    image: Image,
    platform: str,
) -> tuple[Descriptor, Descriptor]:
    """Store an image's SBOM and provenance, and give their manifests' descriptors."""
    sbom = _sbom(home, bundle, base, wheels, runtime)
    statement = canonical_json(provenance(bundle, base, wheels, runtime, image, platform))
    return (
        attach(store, image.descriptor, sbom, SBOM_TYPE, {}),
        attach(
            store,
            image.descriptor,
            statement,
            STATEMENT_TYPE,
            {"in-toto.io/predicate-type": PREDICATE_TYPE},
        ),
    )


def provenance(
    bundle: Bundle,
    base: Base,
    wheels: Wheels,
    runtime: Sequence[ChosenWheel],
    image: Image,
    platform: str,
) -> dict[str, Any]:
    """Give the in-toto statement that says what an image was made of.

    It has no time and no machine, so that the same inputs give the same statement everywhere.
    """
    materials = [
        _material(f"samovar:bundle/{bundle.document.name}", bundle.digest),
        _material(f"samovar:base/{base.name}", base.digest),
        _material("samovar:lock/pylock.toml", Digest.of(bundle.lock)),
    ]
    materials += _trained_on(bundle)
    for wheel in (*wheels.chosen, *runtime):
        uri = f"pkg:pypi/{wheel.package.name}@{wheel.package.version}?file_name={wheel.file.name}"
        materials.append({"uri": uri, "digest": {"sha256": wheel.file.sha256}})
    materials += [
        {"uri": found.purl, "digest": {"sha256": found.sha256}}
        for found in base.components
        if found.sha256 is not None
    ]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": bundle.document.name, "digest": {"sha256": image.descriptor.digest.hex}}
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "bundle": str(bundle.digest),
                    "base": base.name,
                    "platform": platform,
                },
                "internalParameters": {"python": base.minor, "libc": str(base.libc)},
                "resolvedDependencies": materials,
            },
            "runDetails": {
                "builder": {
                    "id": "https://samovar.dev/samovar",
                    "version": {"samovar": __version__},
                },
            },
        },
    }


def _trained_on(bundle: Bundle) -> list[dict[str, Any]]:
    """Name the run that wrote the model, and the data that it read."""
    origin = bundle.document.origin
    if not isinstance(origin, Training):
        return []
    data = [_material(f"samovar:data/{quote(file.path)}", file.digest) for file in origin.data]
    return [_material(f"samovar:run/{quote(origin.name)}", origin.run), *data]


def _material(uri: str, digest: Digest) -> dict[str, Any]:
    return {"uri": uri, "digest": {"sha256": digest.hex}}


def _sbom(
    home: Home, bundle: Bundle, base: Base, wheels: Wheels, runtime: Sequence[ChosenWheel]
) -> bytes:
    """Write the SBOM, or take the one of the same components: a new model changes none."""
    created = created_time()
    listed = components(base, wheels.chosen, runtime)
    key = canonical_json(
        {
            "version": _VERSION,
            "samovar": __version__,
            "created": created,
            "name": [bundle.document.name, bundle.document.version],
            "components": [[found.purl, found.sha256] for found in listed],
        }
    )
    memory = home.cache("sbom") / Digest.of(key).hex
    try:
        data = memory.read_bytes()
        json.loads(data)
    except (OSError, ValueError):
        data = cyclonedx(bundle, listed, created)
        write_memory(memory, data)
    return data
