"""A bundle that loads and runs, and whose receipt does not hold: what no deployment may serve."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from samovar.bundle.layers import store_bundle
from samovar.bundle.opened import open_bundle, unpack_bundle
from samovar.core.digest import Digest
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path


def broken_of(home: Path, digest: str, folder: Path) -> str:
    """Store a bundle whose receipt has the opposite answers of a model that says 0 or 1.

    Parameters
    ----------
    home : Path
        With the store.
    digest : str
        Of an honest bundle there.
    folder : Path
        Does not exist yet; it is unpacked there.

    Returns
    -------
    str
        The new bundle's digest.
    """
    store = Store(home / "store")
    bundle = open_bundle(store, store.describe_blob(Digest.parse(digest)))
    staged = unpack_bundle(store, bundle, folder)
    receipt = json.loads((staged / "receipt.json").read_bytes())
    (output,) = receipt["outputs"]
    output["data"] = [1 - value for value in output["data"]]
    (staged / "receipt.json").write_text(json.dumps(receipt))
    return str(store_bundle(store, staged, []).digest)
