"""Fetch files that are known by their SHA-256 digest, in parallel, each only once."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from samovar.errors import Damaged, Offline, Unavailable
from samovar.store.atomic import unfinished_file
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import httpx

    Progress = Callable[[str], None]

Taken = TypeVar("Taken")
_AT_ONCE: Final = 8
_CHUNK: Final = 1 << 18
_TIMEOUT_S: Final = 30.0
_TRIES: Final = 4
_WAIT_S: Final = 0.5
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to fetch.

    Parameters
    ----------
    name : str
        For messages.
    urls : tuple of str
        Where it may be had, best first.
    sha256 : str
        64 hexadecimal digits; nothing else is kept.
    size_bytes : int or None
        Where it is known; reading stops there.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    size_bytes: int | None


def fetch_all(
    folder: Path, files: Sequence[Download], *, what: str, progress: Progress
) -> list[Path]:
    """Bring files into a folder, each under its digest, and give their paths in order.

    Parameters
    ----------
    folder : Path
        A cache; what is there is not fetched again.
    files : sequence of Download
        What is wanted.
    what : str
        What they are, for people: ``wheels``.
    progress : callable
        Is told how much has come.

    Raises
    ------
    Offline
        Where something is missing and connections are switched off.
    Unavailable
        Where no place has it, or none answers.
    Damaged
        Where other bytes came than the digest asks for.
    """
    paths = [folder / file.sha256 for file in files]
    missing = {path: file for path, file in zip(paths, files, strict=True) if not path.exists()}
    if not missing:
        return paths
    if is_offline():
        names = ", ".join(sorted(file.name for file in missing.values())[:5])
        raise Offline(
            f"{len(missing)} {what} are not here, and connections are switched off: {names}.",
            hint="Build once without --offline; they are kept.",
        )
    reporter = _Reporter(len(missing), what, progress)
    with _client() as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [pool.submit(_fetch, client, file, path, reporter) for path, file in missing.items()]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return paths


def get_bytes(urls: Sequence[str], name: str, *, limit: int) -> bytes:
    """Fetch a small file whose digest is not known yet; it is checked by other means."""
    if is_offline():
        raise Offline(f"{name} would have to be fetched, and connections are switched off.")

    def take(chunks: Iterator[bytes]) -> bytes:
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > limit:
                raise Damaged(f"{name} is larger than {limit} bytes.")
        return bytes(data)

    with _client() as client:
        return _from_any(client, urls, name, take)


class _Reporter:
    """Tell how much has come, from many threads, not too often."""

    def __init__(self, count: int, what: str, progress: Progress) -> None:
        self._lock = threading.Lock()
        self._count, self._what, self._progress = count, what, progress
        self._done = 0
        self._told = 0.0

    def finished(self) -> None:
        with self._lock:
            self._done += 1
            if self._done == self._count or time.monotonic() - self._told > 1:
                self._told = time.monotonic()
                self._progress(f"Fetched {self._done} of {self._count} {self._what}")


def _client() -> httpx.Client:
    import httpx

    # Proxies and a custom CA come from the environment, as for every other client on the machine.
    return httpx.Client(
        timeout=_TIMEOUT_S,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},
        limits=httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE),
    )


def _fetch(client: httpx.Client, file: Download, path: Path, reporter: _Reporter) -> None:
    def take(chunks: Iterator[bytes]) -> None:
        with unfinished_file(path.parent) as unfinished:
            state, size = hashlib.sha256(), 0
            for chunk in chunks:
                size += len(chunk)
                if file.size_bytes is not None and size > file.size_bytes:
                    raise Damaged(f"{file.name} is longer than the {file.size_bytes} bytes known.")
                state.update(chunk)
                unfinished.file.write(chunk)
            if state.hexdigest() != file.sha256:
                raise Damaged(
                    f"{file.name} is not what the lock says.",
                    why=f"sha256:{file.sha256} is wanted, sha256:{state.hexdigest()} came.",
                    hint="Nothing was kept. Try again; if it stays so, the index has other bytes.",
                    code="hash_mismatch",
                )
            unfinished.keep_as(path)

    _from_any(client, file.urls, file.name, take)
    reporter.finished()


def _from_any(
    client: httpx.Client, urls: Sequence[str], name: str, take: Callable[[Iterator[bytes]], Taken]
) -> Taken:
    """Hand over the bytes from the first place that has them; what breaks is begun again."""
    import httpx

    why = "No place is known that has it."
    for url in urls:
        for tried in range(_TRIES):
            try:
                with client.stream("GET", _with_credentials(url)) as response:
                    if response.status_code == httpx.codes.OK:
                        return take(response.iter_raw(_CHUNK))
                    why = f"{_shown(url)} answered {response.status_code}."
                    if response.status_code not in _AGAIN:
                        break
                    wait = response.headers.get("Retry-After")
            except httpx.HTTPError as error:
                why, wait = f"{_shown(url)}: {str(error) or type(error).__name__}", None
            if tried + 1 < _TRIES:
                time.sleep(_pause(wait, tried))
    raise Unavailable(
        f"{name} cannot be fetched.",
        why=why,
        hint="Check the connection and the proxy; what has come is kept.",
        code="download_failed",
    )


def _pause(retry_after: str | None, tried: int) -> float:
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), 30.0)
    return float(_WAIT_S * 2**tried)


def _with_credentials(url: str) -> str:
    """Add the credentials of the index (``UV_INDEX_URL``, ``PIP_INDEX_URL``) on its own host."""
    parts = urlsplit(url)
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        index = urlsplit(os.environ.get(name, ""))
        if index.username and (index.scheme, index.hostname, index.port) == (
            parts.scheme,
            parts.hostname,
            parts.port,
        ):
            user = index.netloc.rpartition("@")[0]
            return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))
    return url


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
