"""``samovar build`` and ``push`` against ``docker build`` and ``push``, on ``examples/web``.

One run, one machine, one registry on loopback, a new engine and a new home. The peer is a careful
Dockerfile (pip before the project's files); one row more is what most people write (the project
first). The peer's base image is in the engine before the clock starts; samovar's base is made while
it runs. Rows of samovar say whether packing (which asks the model for its receipt) is in them.
"""

from __future__ import annotations

from benchmarks.images.measure import main

__all__ = ["main"]
