"""Where things lie inside a bundle, and below ``/srv`` in an image.

::

    samovar.json        core/bundle.py
    receipt.json        core/receipt.py
    pylock.toml         PEP 751
    wheels/             local and editable packages of the project, built
    project/            the project's own files, at their paths in the project
"""

from __future__ import annotations

from typing import Final

ROOT: Final = "srv"
"""Folder in the layers' tar files; an image shares these very blobs."""
DOCUMENT: Final = "samovar.json"
RECEIPT: Final = "receipt.json"
LOCK: Final = "pylock.toml"
WHEELS: Final = "wheels"
PROJECT: Final = "project"
DIGEST_VARIABLE: Final = "SAMOVAR_BUNDLE"
"""Where an image names its bundle, so that no file of it changes with every model."""
