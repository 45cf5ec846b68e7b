"""Remember which layer came of which inputs, so that it is made once, for all projects.

The memory names blobs of the store; where one is gone, the layer is made anew and gets the same
digest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.errors import SamovarError
from samovar.image import layer as layers
from samovar.image.made import Layer
from samovar.store.atomic import write_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from samovar.store.home import Home
    from samovar.store.layout import Store

_FOLDER = "layers"


def cached_layer(
    home: Home, store: Store, key: Mapping[str, Any], make: Callable[[], Layer]
) -> tuple[Layer, bool]:
    """Give the layer of these inputs, and whether it had to be made.

    Parameters
    ----------
    home, store : Home, Store
        Where the memory and the layers are.
    key : mapping
        All that the layer's bytes depend on, besides the version of image/layer.py.
    make : callable
        Stores the layer.
    """
    name = Digest.of(canonical_json({**key, "layer": layers.VERSION, "level": layers.LEVEL})).hex
    path = home.cache(_FOLDER) / name
    known = _known(store, path)
    if known is not None:
        return known, False
    made = make()
    write_memory(path, canonical_json(made.to_json()))
    return made, True


def _known(store: Store, path: Path) -> Layer | None:
    try:
        found = Layer.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, SamovarError):
        return None
    return found if store.has_blob(found.descriptor.digest, found.descriptor.size_bytes) else None
