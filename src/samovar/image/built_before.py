"""Remember which inputs gave which image, so that an unchanged bundle is not built again.

The memory is a cache: it may be lost at any time, and an image that is no longer whole in the store
is built anew, to the same digest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.env.runtime_folder import code_files
from samovar.errors import SamovarError
from samovar.image.base_lock import pinned_base
from samovar.image.config import created_time
from samovar.image.made import Image, Layer
from samovar.store.atomic import write_memory
from samovar.store.reach import walk

if TYPE_CHECKING:
    from samovar.bundle.opened import Bundle
    from samovar.image.build import Options
    from samovar.image.made import Built
    from samovar.store.home import Home
    from samovar.store.layout import Store

_FOLDER = "images"


def inputs_of(bundle: Bundle, options: Options, platforms: tuple[str, ...]) -> Digest | None:
    """Give the digest of all that an image depends on; None where the base is a tag."""
    pinned = pinned_base(options.base, bundle.document.python)
    if pinned is None:
        return None
    own = sorted([*code_files(), *Path(__file__).parent.rglob("*.py")])
    return Digest.of(
        canonical_json(
            {
                "bundle": str(bundle.digest),
                "base": [options.base, pinned],
                "sdists": options.build_sdists,
                "grpc": options.grpc,
                "platforms": platforms,
                "created": created_time(),
                "samovar": [f"{path.name} {Digest.of(path.read_bytes())}" for path in own],
            }
        )
    )


def find_built(home: Home, store: Store, inputs: Digest | None) -> Built | None:
    """Give the image that these inputs gave before, if every blob of it is still there."""
    from samovar.image.made import Built

    if inputs is None:
        return None
    try:
        document = json.loads((home.cache(_FOLDER) / inputs.hex).read_bytes())
        built = Built(
            index=Descriptor.from_json(document["index"]),
            images={name: _image(image) for name, image in document["images"].items()},
            built_layers=0,
        )
        for found in walk(store, built.index):
            if not store.has_blob(found.digest, found.size_bytes):
                return None
    except (OSError, ValueError, KeyError, TypeError, SamovarError):
        return None
    return built


def remember_built(home: Home, inputs: Digest | None, built: Built) -> None:
    """Note which image these inputs gave."""
    if inputs is None:
        return
    document = {
        "index": built.index.to_json(),
        "images": {
            name: {
                "descriptor": image.descriptor.to_json(),
                "config": str(image.config_digest),
                "layers": [layer.to_json() for layer in image.layers],
            }
            for name, image in built.images.items()
        },
    }
    write_memory(home.cache(_FOLDER) / inputs.hex, canonical_json(document))


def _image(document: Any) -> Image:
    return Image(
        descriptor=Descriptor.from_json(document["descriptor"]),
        config_digest=Digest.parse(document["config"]),
        layers=tuple(Layer.from_json(layer) for layer in document["layers"]),
    )
