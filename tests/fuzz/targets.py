"""What is fuzzed: each reader of bytes from outside, with files to begin with.

A target takes any bytes and returns. A refusal is one of ours (`SamovarError`); whatever else is
raised is a fault, as is a hang or a memory that grows beyond all measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuzz import archives, documents, models, requests
from samovar.errors import SamovarError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader.

    Parameters
    ----------
    read : callable
        Takes bytes.
    seeds : callable
        Gives bytes to begin with.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]

    def run(self, content: bytes) -> None:
        """Read bytes; only a refusal may come of it."""
        try:
            self.read(content)
        except SamovarError as refusal:
            str(refusal).encode()  # what is said to people must be sayable


TARGETS = {
    "stream": Target(read=models.read_stream, seeds=models.pickles),
    "model": Target(read=models.read_model, seeds=models.all_models),
    "members": Target(read=models.read_members, seeds=models.inner_members),
    "loader": Target(read=models.load, seeds=models.to_load),
    "compressed": Target(read=models.read_compressed, seeds=models.all_models),
    "tar": Target(read=archives.read_tars, seeds=archives.layers),
    "gzip": Target(read=archives.read_gzip, seeds=archives.layers),
    "zip": Target(read=archives.read_zips, seeds=archives.zips),
    "layout": Target(read=documents.read_layout, seeds=documents.layouts),
    "document": Target(read=documents.read_document, seeds=documents.documents),
    "body": Target(read=requests.read_body, seeds=requests.bodies),
    "request": Target(read=requests.read_request, seeds=requests.requests),
}
