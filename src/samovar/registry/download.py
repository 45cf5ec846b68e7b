"""Fetch blobs: resumed where the line is cut, checked while they arrive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from samovar.errors import Damaged, Interrupted, NotFound, RegistryFailure
from samovar.registry.patience import Stalled
from samovar.registry.problems import redacted
from samovar.registry.transport import Ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.core.descriptor import Descriptor
    from samovar.registry.lines import Answer
    from samovar.registry.progress import Tally
    from samovar.registry.remote import Remote
    from samovar.store.layout import Store

_PROGRESS_BYTES: Final = 64 * 1024
_HOPED_FOR: Final = frozenset({200, 206, 404})
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def fetch_blob(remote: Remote, store: Store, descriptor: Descriptor, tally: Tally) -> None:
    """Put a blob of the repository into the store.

    Raises
    ------
    Damaged
        Where other bytes arrived than its digest and size say; nothing is kept.
    NotFound
        Where the registry lacks it.
    RegistryFailure
        Where it cannot be had whole, after all attempts.
    """
    url = remote.transport.absolute(remote.path("blobs", descriptor.digest))
    try:
        store.put_stream(
            _pieces(remote, descriptor, url, tally),
            expected=descriptor.digest,
            size_bytes=descriptor.size_bytes,
        )
    except Damaged as error:
        raise Damaged(
            f"The blob {descriptor.digest} did not arrive as it was sent.",
            why=f"GET {redacted(url)}: {error.message} Nothing of it was kept.",
            hint="Trying again may help; if it does not, the registry's copy is damaged: push it "
            "again.",
        ) from error
    tally.moved(descriptor.size_bytes)


def _pieces(remote: Remote, descriptor: Descriptor, url: str, tally: Tally) -> Iterator[bytes]:
    """Give a blob's bytes, going on by Range where the line was cut."""
    got = since = 0
    attempts = remote.transport.backoff()
    while True:
        try:
            for piece in _from(remote, descriptor, url, got):
                got, since = got + len(piece), since + len(piece)
                if since >= _PROGRESS_BYTES:
                    attempts.progressed()
                tally.arrived(len(piece))
                yield piece
            if got >= descriptor.size_bytes:
                return
            # A registry that declares too little and closes cleanly: ask for the rest.
            raise _too_short(url, got, descriptor)
        except RegistryFailure as failure:
            if got >= descriptor.size_bytes:
                return
            attempts.pause_after(failure)
            since = 0


def _from(remote: Remote, descriptor: Descriptor, url: str, start: int) -> Iterator[bytes]:
    ask = Ask(
        method="GET",
        url=url,
        scopes=remote.scopes,
        hoped_for=_HOPED_FOR,
        headers={"Range": f"bytes={start}-"} if start else {},
        repeat=False,
    )
    stalled = Stalled(remote.transport.options)
    with remote.transport.asking(ask) as response:
        if response.status_code == 404:
            raise NotFound(
                f"The registry {remote.endpoint.registry} lacks the blob {descriptor.digest}.",
                why=f"GET {redacted(url)} answered 404.",
                hint="What refers to it is incomplete there: push it again.",
            )
        skip = _skipped_by(response, start, descriptor)
        for piece in response.iter_raw():
            if remote.transport.stop.is_set():
                raise Interrupted("The transfer was ended.")
            if stalled.saw(len(piece)):
                raise stalled.failure("GET", url)
            if skip >= len(piece):
                skip -= len(piece)
                continue
            yield piece[skip:]
            skip = 0


def _skipped_by(response: Answer, start: int, descriptor: Descriptor) -> int:
    """Give how many bytes of an answer are known already, and check what it declares."""
    url = redacted(response.url)
    begins = 0
    if response.status_code == 206:
        said = _RANGE.fullmatch(response.headers.get("content-range", ""))
        begins = int(said.group(1)) if said else -1
        if not 0 <= begins <= start:
            raise Damaged(f"GET {url} sent another range than the one asked for.")
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and begins + int(declared) > descriptor.size_bytes:
        raise Damaged(
            f"{begins + int(declared)} bytes are announced; {descriptor.size_bytes} were declared."
        )
    return start - begins


def _too_short(url: str, got: int, descriptor: Descriptor) -> RegistryFailure:
    return RegistryFailure(
        "The registry sends too little.",
        why=f"GET {redacted(url)} ended after {got} of {descriptor.size_bytes} bytes.",
        hint="The registry's copy is cut off: push it again.",
        code="registry_cut",
        may_retry=True,
    )
