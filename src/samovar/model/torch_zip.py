"""Read every member of a zip that torch, or nobody known, wrote, whatever the member's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.core.compression import limit_for
from samovar.model.source import Source, broken
from samovar.model.streams import read_streams, second_reading

if TYPE_CHECKING:
    from samovar.core.allowlist import Policy
    from samovar.model.findings import Log
    from samovar.model.zip_members import Archive


def read_torch(archive: Archive, policy: Policy, log: Log) -> None:
    """Follow each ``.pkl`` as a pickle, and look into all others for one.

    Raises
    ------
    InvalidModel
        With the code ``broken_stream`` where a ``.pkl`` is none.
    """
    total = sum(member.file_size for member in archive.members)
    if total > limit_for(sum(member.compress_size for member in archive.members)):
        raise broken("The zip claims to be a bomb.")
    for member in archive.members:
        with archive.open(member) as stream:
            if member.filename.endswith(".pkl"):
                read_streams(Source(stream, None), policy, log, plain=True)
            else:
                second_reading(Source(stream, None), policy, log)
