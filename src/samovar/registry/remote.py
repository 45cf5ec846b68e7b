"""One repository of a registry: its manifests, blobs and referrers.

References
----------
OCI distribution specification 1.1, sections "Pull", "Push" and "Listing Referrers".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import MAX_MANIFEST_BYTES, Index, Manifest
from samovar.errors import Damaged, InvalidReference, NotFound, RegistryFailure
from samovar.registry.endpoint import Endpoint
from samovar.registry.options import Options
from samovar.registry.patience import Stalled
from samovar.registry.problems import printable, redacted
from samovar.registry.transport import Ask, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.core.reference import Reference
    from samovar.registry.lines import Answer

OK: Final = frozenset({200})
_OK_OR_ABSENT: Final = frozenset({200, 404})
_NO_HEAD: Final = frozenset({405, 501})
_KNOWN: Final = media_types.MANIFESTS | media_types.INDEXES
_ACCEPT: Final = ", ".join(sorted(_KNOWN, key=lambda name: ("docker" in name, name)))


class Remote:
    """A repository that is pulled from or pushed to.

    Parameters
    ----------
    transport : Transport
        The connection to its registry.
    endpoint : Endpoint
        Registry and repository.
    pushes : bool
        Whether tokens have to allow writing.
    """

    def __init__(self, transport: Transport, endpoint: Endpoint, *, pushes: bool) -> None:
        self.transport = transport
        self.endpoint = endpoint
        actions = "pull,push" if pushes else "pull"
        self.scopes = (f"repository:{endpoint.repository}:{actions}",)
        self._pushes = pushes

    def path(self, kind: str, name: object) -> str:
        """Give the path of something in the repository, below ``/v2/``."""
        return f"{self.endpoint.repository}/{kind}/{name}"

    def find(self, name: str) -> Digest | None:
        """Ask what a tag or digest points to, without reading it; None where there is nothing."""
        # Some registries refuse to say that a repository does not exist; the upload then tells.
        denied = {401, 403} if self._pushes else set()
        ask = Ask(
            method="HEAD",
            url=self.path("manifests", name),
            scopes=self.scopes,
            hoped_for=_OK_OR_ABSENT | _NO_HEAD | denied,
            headers={"Accept": _ACCEPT},
        )
        with self.transport.asking(ask) as response:
            status, digest = response.status_code, _named_digest(response)
        if status not in OK | _NO_HEAD:
            return None
        if status == 200 and name.startswith("sha256:"):
            return Digest.parse(name)
        if status == 200 and digest is not None:
            return digest
        document = self.read_document(name)
        return None if document is None else document[0].digest

    def read_document(
        self, name: str, expected: Descriptor | None = None
    ) -> tuple[Descriptor, bytes] | None:
        """Read a manifest or index and check it; None where there is nothing.

        Parameters
        ----------
        name : str
            Tag or digest.
        expected : Descriptor, optional
            What it must be.

        Raises
        ------
        Damaged
            Where its bytes are not what the digest says, or it is something else than announced.
        """
        ask = Ask(
            method="GET",
            url=self.path("manifests", name),
            scopes=self.scopes,
            hoped_for=_OK_OR_ABSENT,
            headers={"Accept": _ACCEPT},
        )
        response, data = self.read(ask)
        if response.status_code == 404:
            return None
        return _checked(response, data, name, expected), data

    def read(self, ask: Ask) -> tuple[Answer, bytes]:
        """Send a request and read its whole answer, which is no longer than a manifest may be.

        Raises
        ------
        Damaged
            Where it is longer, or not as long as declared.
        """
        attempts = self.transport.backoff()
        while True:
            try:
                with self.transport.asking(ask) as response:
                    return response, _whole_body(response, self.transport)
            except RegistryFailure as failure:
                attempts.pause_after(failure)

    def put_document(self, name: str, descriptor: Descriptor, data: bytes) -> bool:
        """Write a manifest or index under a tag or its digest.

        Returns
        -------
        bool
            Whether the registry will list it as a referrer of its subject.
        """
        ask = Ask(
            method="PUT",
            url=self.path("manifests", name),
            scopes=self.scopes,
            hoped_for=frozenset({200, 201, 202}),
            headers={"Content-Type": descriptor.media_type},
            body=data,
        )
        with self.transport.asking(ask) as response:
            digest = _named_digest(response)
            if digest is not None and digest != descriptor.digest:
                raise Damaged(
                    f"The registry {self.endpoint.host} keeps {digest} where "
                    f"{descriptor.digest} was pushed.",
                    why="Something on the way changes manifests.",
                )
            return "oci-subject" in response.headers


@contextmanager
def opened(
    reference: Reference, options: Options | None = None, *, pushes: bool = False
) -> Iterator[Remote]:
    """Open a reference's repository; no request is sent yet.

    Parameters
    ----------
    pushes : bool
        Whether it is to be written to.

    Raises
    ------
    InvalidReference
        Where the reference names no registry.
    """
    endpoint = Endpoint.of(reference)
    transport = Transport(endpoint, options or Options())
    try:
        yield Remote(transport, endpoint, pushes=pushes)
    finally:
        transport.close()


def read_root(remote: Remote, reference: Reference) -> tuple[Descriptor, bytes]:
    """Read what a reference points to.

    Raises
    ------
    NotFound
        Where the registry has no such repository, tag or digest.
    """
    found = remote.read_document(str(reference.digest or reference.tag))
    if found is None:
        raise NotFound(
            f"The registry {remote.endpoint.registry} has no {reference}.",
            hint="Look at the spelling of the name and the tag. A private repository may look like "
            "this to somebody who is not logged in.",
        )
    return found


def _whole_body(response: Answer, transport: Transport) -> bytes:
    declared = response.headers.get("content-length", "")
    data = b"".join(_limited(response, Stalled(transport.options)))
    if declared.isdigit() and len(data) != int(declared):
        raise Damaged(f"{_asked(response)} sent {len(data)} bytes and declared {declared}.")
    return data


def _limited(response: Answer, stalled: Stalled) -> Iterator[bytes]:
    size = 0
    for piece in response.iter_raw():
        size += len(piece)
        if stalled.saw(len(piece)):
            raise stalled.failure("GET", response.url)
        if size > MAX_MANIFEST_BYTES:
            raise Damaged(
                f"{_asked(response)} sent more than the {MAX_MANIFEST_BYTES} bytes that a manifest "
                "may have."
            )
        yield piece


def _checked(response: Answer, data: bytes, name: str, expected: Descriptor | None) -> Descriptor:
    """Check a manifest's bytes before anything in it is believed."""
    digest = Digest.of(data)
    wanted = {
        "the reference": Digest.parse(name) if name.startswith("sha256:") else None,
        "Docker-Content-Digest": _named_digest(response),
        "the index": None if expected is None else expected.digest,
    }
    for who, said in wanted.items():
        if said is not None and said != digest:
            raise Damaged(
                f"The manifest {name} did not arrive as it was sent.",
                why=f"{_asked(response)} sent bytes with the digest {digest}; {who} says {said}.",
                hint="Trying again may help; a proxy on the way may change what it passes on.",
            )
    if expected is not None and expected.size_bytes != len(data):
        raise Damaged(
            f"The manifest {name} has {len(data)} bytes, and {expected.size_bytes} were declared."
        )
    media_type = _media_type(response, data, name)
    if expected is not None and expected.media_type != media_type:
        raise Damaged(
            f"The manifest {name} is of another media type than its index says.",
            why=f"It is {media_type}, not {printable(expected.media_type)}.",
        )
    content = (
        Index.from_bytes(data) if media_type in media_types.INDEXES else Manifest.from_bytes(data)
    )
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size_bytes=len(data),
        artifact_type=content.artifact_type,
    )


def _media_type(response: Answer, data: bytes, name: str) -> str:
    """Find out what a document is; what the answer says and what the document says must agree.

    References
    ----------
    CVE-2021-41190: readers that decide differently see different content under one digest.
    """
    said: str = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in _KNOWN:
        raise Damaged(
            f"What the registry has under {name} is no manifest that samovar reads.",
            why=f"{_asked(response)} sent {printable(said) or 'no media type'}.",
            hint="Images in Docker's first format have to be pushed again by a newer Docker.",
        )
    reader = Index if said in media_types.INDEXES else Manifest
    own = reader.from_bytes(data).media_type
    if b'"mediaType"' in data and own != said:
        raise Damaged(
            f"The manifest {name} is of another media type than the registry says.",
            why=f"{_asked(response)} sent it as {said}; it says itself that it is {own}.",
        )
    return said


def _named_digest(response: Answer) -> Digest | None:
    text = response.headers.get("docker-content-digest", "").strip()
    if not text:
        return None
    try:
        return Digest.parse(text)
    except InvalidReference:
        return None  # sha512, or nonsense: what counts is computed from the bytes


def _asked(response: Answer) -> str:
    return f"{response.method} {redacted(response.url)}"
