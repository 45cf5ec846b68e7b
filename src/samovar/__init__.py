"""Pack a trained model and its service, run it anywhere, prove that it predicts the same.

From Python: ``samovar.load(TARGET)`` and ``samovar.remote(URL)`` (samovar/api.py).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first asked for: commands start without it."""
    if name in {"load", "remote"}:
        return getattr(import_module("samovar.api"), name)
    raise AttributeError(f"module 'samovar' has no attribute {name!r}")
