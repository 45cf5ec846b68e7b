"""Store small blobs side by side, so that they wait for the disk together."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from samovar.core.digest import Digest
from samovar.core.manifest import describe

if TYPE_CHECKING:
    from types import TracebackType

    from samovar.core.descriptor import Descriptor
    from samovar.core.manifest import Index, Manifest
    from samovar.store.layout import Store

_AT_ONCE: Final = 8


class Together:
    """Takes blobs whose digest is known from their bytes; they are stored when its context ends.

    Parameters
    ----------
    store : Store
        Where they go.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._jobs: list[Future[Digest]] = []

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()
        if error is None:
            for job in self._jobs:
                job.result()

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes and give their digest."""
        self._jobs.append(self._pool.submit(self._store.put_bytes, data))
        return Digest.of(data)

    def put_document(self, content: Manifest | Index) -> Descriptor:
        """Store a manifest or an index and give its descriptor."""
        descriptor, data = describe(content)
        self.put_bytes(data)
        return descriptor
