"""Push blobs: asked for first, mounted where the registry has them elsewhere, resumed when cut.

References
----------
OCI distribution specification 1.1, section "Pushing blobs".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from samovar.errors import Damaged, RegistryFailure
from samovar.registry.transport import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samovar.core.descriptor import Descriptor
    from samovar.registry.lines import Answer
    from samovar.registry.progress import Tally
    from samovar.registry.remote import Remote
    from samovar.store.layout import Store

_PIECE: Final = 1024 * 1024
_RANGE: Final = re.compile(r"(?:bytes=)?(\d+)-(\d+)")
_BEGUN: Final = frozenset({202})
_DONE: Final = frozenset({201, 204})
_FALLBACK_CHUNK_BYTES: Final = 10 * 1024 * 1024
_SESSION_LOST: Final = frozenset({400, 404, 405, 416})


def push_blob(
    remote: Remote,
    store: Store,
    descriptor: Descriptor,
    tally: Tally,
    *,
    mount_from: str | None = None,
) -> None:
    """Bring a blob of the store into the repository, if it is not there.

    Parameters
    ----------
    mount_from : str, optional
        Another repository of the registry that probably has it.

    Raises
    ------
    Damaged
        Where the store's own copy is altered; nothing is sent.
    RegistryFailure
        Where the registry does not take it.
    """
    if _has(remote, descriptor):
        tally.skipped(descriptor.size_bytes)
        return
    place = None
    if mount_from is not None:
        mounted, place = _mount(remote, descriptor, mount_from)
        if mounted:
            tally.skipped(descriptor.size_bytes)
            return
    _Upload(remote, store, descriptor, tally).run(place)
    tally.moved(descriptor.size_bytes)


def _has(remote: Remote, descriptor: Descriptor) -> bool:
    ask = Ask(
        method="HEAD",
        url=remote.path("blobs", descriptor.digest),
        scopes=remote.scopes,
        # Refused looks like absent here: the upload gets the true answer.
        hoped_for=frozenset({200, 401, 403, 404}),
    )
    with remote.transport.asking(ask) as response:
        return response.status_code == 200


def _mount(remote: Remote, descriptor: Descriptor, source: str) -> tuple[bool, str | None]:
    """Ask for a mount; a registry that will not begins an upload instead."""
    query = f"mount={quote(str(descriptor.digest), safe='')}&from={quote(source, safe='')}"
    ask = Ask(
        method="POST",
        url=f"{remote.path('blobs', 'uploads')}/?{query}",
        scopes=(*remote.scopes, f"repository:{source}:pull"),
        hoped_for=frozenset({201, 202, 400, 401, 403, 404, 405}),
        headers={"Content-Length": "0"},
    )
    try:
        with remote.transport.asking(ask) as response:
            if response.status_code == 202:
                return False, remote.transport.location(response)
            return response.status_code == 201, None
    except RegistryFailure as failure:
        if failure.may_retry:
            raise
        return False, None  # no token for both repositories: the bytes go the long way


class _Upload:
    """One blob on its way; what the registry already has of it is not sent twice."""

    def __init__(self, remote: Remote, store: Store, descriptor: Descriptor, tally: Tally) -> None:
        self._remote = remote
        self._transport = remote.transport
        self._store = store
        self._descriptor = descriptor
        self._tally = tally
        self._chunk_bytes = remote.transport.options.chunk_bytes
        self._counted = 0

    def run(self, place: str | None) -> None:
        """Send it, in one request or in pieces, going on after every failure that may pass."""
        attempts = self._transport.backoff()
        offset = 0
        while True:
            try:
                if place is None:
                    place, offset = self._begin(), 0
                self._count(offset)
                if offset == 0 and self._chunk_bytes is None:
                    self._finish(place, body=True)
                else:
                    self._finish(self._send_pieces(place, offset), body=False)
            except RegistryFailure as failure:
                if failure.status == 413 and self._chunk_bytes is None:
                    self._chunk_bytes, place = _FALLBACK_CHUNK_BYTES, None
                    continue
                if failure.status in _SESSION_LOST and offset:
                    place, offset = None, 0
                    continue
                attempts.pause_after(failure)
                if place is not None:
                    before = offset
                    place, offset = self._where(place)
                    if offset > before:
                        attempts.progressed()
            else:
                return

    def _begin(self) -> str:
        ask = Ask(
            method="POST",
            url=f"{self._remote.path('blobs', 'uploads')}/",
            scopes=self._remote.scopes,
            hoped_for=_BEGUN,
            headers={"Content-Length": "0"},
        )
        with self._transport.asking(ask) as response:
            self._read_minimum(response)
            return self._transport.location(response)

    def _where(self, place: str) -> tuple[str | None, int]:
        """Ask how much of an upload has arrived; None where the registry has forgotten it."""
        ask = Ask(
            method="GET",
            url=place,
            scopes=self._remote.scopes,
            hoped_for=frozenset({200, 204, *_SESSION_LOST}),
        )
        try:
            with self._transport.asking(ask) as response:
                if response.status_code in _SESSION_LOST:
                    return None, 0
                offset = _received(response)
                if not 0 < offset <= self._descriptor.size_bytes:
                    return None, 0
                has_place = "location" in response.headers
                return (self._transport.location(response) if has_place else place), offset
        except RegistryFailure as failure:
            if failure.may_retry:
                raise
            return None, 0

    def _send_pieces(self, place: str, offset: int) -> str:
        size = self._descriptor.size_bytes
        while offset < size:
            end = size if self._chunk_bytes is None else min(size, offset + self._chunk_bytes)
            ask = Ask(
                method="PATCH",
                url=place,
                scopes=self._remote.scopes,
                hoped_for=frozenset({202, 204}),
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(end - offset),
                    "Content-Range": f"{offset}-{end - 1}",
                },
                body=self._bytes(offset, end),
                repeat=False,
            )
            with self._transport.asking(ask) as response:
                place = self._transport.location(response)
            offset = end
        return place

    def _finish(self, place: str, *, body: bool) -> None:
        size = self._descriptor.size_bytes
        joint = "&" if "?" in place else "?"
        digest = quote(str(self._descriptor.digest), safe="")
        headers = {"Content-Length": str(size if body else 0)}
        if body:
            headers["Content-Type"] = "application/octet-stream"
        ask = Ask(
            method="PUT",
            url=f"{place}{joint}digest={digest}",
            scopes=self._remote.scopes,
            hoped_for=_DONE,
            headers=headers,
            body=self._bytes(0, size) if body else None,
            repeat=False,
        )
        with self._transport.asking(ask) as response:
            said = response.headers.get("docker-content-digest", "")
            if said.startswith("sha256:") and said != str(self._descriptor.digest):
                raise Damaged(
                    f"The registry {self._remote.endpoint.host} keeps other bytes than were sent.",
                    why=f"{self._descriptor.digest} was sent.",
                )

    def _bytes(self, start: int, end: int) -> Callable[[], Iterator[bytes]]:
        def read() -> Iterator[bytes]:
            self._count(start)
            with self._store.blob_path(self._descriptor.digest).open("rb") as file:
                file.seek(start)
                left = end - start
                while left and not self._transport.stop.is_set():
                    piece = file.read(min(_PIECE, left))
                    if not piece:
                        raise Damaged(f"The blob {self._descriptor.digest} became shorter.")
                    left -= len(piece)
                    self._count(end - left)
                    yield piece

        return read

    def _count(self, offset: int) -> None:
        """Tell how much of the blob is there now; less than before where it is sent again."""
        self._tally.arrived(offset - self._counted)
        self._counted = offset

    def _read_minimum(self, response: Answer) -> None:
        least = response.headers.get("oci-chunk-min-length", "")
        if self._chunk_bytes is not None and least.isdigit():
            self._chunk_bytes = max(self._chunk_bytes, int(least))


def _received(response: Answer) -> int:
    """Give how many bytes a registry has; ``0-0`` means none, as most of them write it."""
    said = _RANGE.fullmatch(response.headers.get("range", ""))
    last = int(said.group(2)) if said else 0
    return last + 1 if last else 0
