"""The bill of materials of an image, as CycloneDX 1.6.

References
----------
OWASP CycloneDX 1.6 (ECMA-424); package URL specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar import __version__
from samovar.image.base import Component

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclonedx.model.component import Component as Part

    from samovar.bundle.opened import Bundle
    from samovar.image.base import Base
    from samovar.image.wheel_choice import ChosenWheel


def components(
    base: Base, wheels: Sequence[ChosenWheel], runtime: Sequence[ChosenWheel]
) -> list[Component]:
    """List what an image is made of: the base's packages, the model's, the runtime's."""
    found = {component.purl: component for component in base.components}
    for wheel in (*wheels, *runtime):
        name, version = wheel.package.name, wheel.package.version
        purl = f"pkg:pypi/{name}@{version}"
        component = Component(name=name, version=version, purl=purl, sha256=wheel.file.sha256)
        found.setdefault(purl, component)
    return sorted(found.values(), key=lambda component: component.purl)


def cyclonedx(bundle: Bundle, listed: Sequence[Component], created: str) -> bytes:
    """Write the document; the same components give the same bytes.

    Parameters
    ----------
    bundle : Bundle
        What the image is of.
    listed : sequence of Component
        What it is made of.
    created : str
        RFC 3339.
    """
    from datetime import datetime
    from uuid import NAMESPACE_URL, uuid5

    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component as Part
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    parts = [_part(component) for component in listed]
    model = Part(
        name=bundle.document.name,
        version=bundle.document.version,
        type=ComponentType.CONTAINER,
        bom_ref=bundle.document.name,
    )
    tool = Part(
        name="samovar", version=__version__, type=ComponentType.APPLICATION, bom_ref="samovar"
    )
    document = Bom(
        components=parts,
        serial_number=uuid5(NAMESPACE_URL, "\n".join([model.name, *(c.purl for c in listed)])),
        metadata=BomMetaData(
            component=model,
            tools=ToolRepository(components=[tool]),
            timestamp=datetime.fromisoformat(_iso(created)),
        ),
        dependencies=[
            Dependency(model.bom_ref, [Dependency(found.bom_ref) for found in parts]),
            *(Dependency(found.bom_ref) for found in parts),
        ],
    )
    return JsonV1Dot6(document).output_as_string().encode()


def _part(component: Component) -> Part:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component as Part
    from cyclonedx.model.component import ComponentType
    from packageurl import PackageURL

    hashes = []
    if component.sha256 is not None:
        hashes.append(HashType(alg=HashAlgorithm.SHA_256, content=component.sha256))
    return Part(
        name=component.name,
        version=component.version,
        type=ComponentType.LIBRARY,
        bom_ref=component.purl,
        purl=PackageURL.from_string(component.purl),
        hashes=hashes,
    )


def _iso(created: str) -> str:
    return created.replace("Z", "+00:00")
