"""References: how bundles and images are named, in the store and in a registry.

References
----------
OCI distribution specification, section "Pulling manifests" (the grammar of names and tags).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from samovar.core.digest import Digest
from samovar.errors import InvalidReference

DEFAULT_TAG = "latest"
_MAX_NAME = 255
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name with a tag, a digest, or both, and the registry it is in, if it is in one.

    Parameters
    ----------
    registry : str, optional
        Host and port; None in the local store.
    name : str
        Repository name: lower-case letters, digits, ``._-/``.
    tag : str, optional
        Set to ``latest`` by :meth:`parse` where neither tag nor digest is written.
    digest : Digest, optional
        Of the manifest or index.
    """

    registry: str | None = None
    name: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read ``[HOST[:PORT]/]NAME[:TAG][@sha256:...]``.

        The first part is a registry where it has a dot or a colon, or is ``localhost``, as
        Docker reads it.

        Raises
        ------
        InvalidReference
            Saying which part is malformed.

        Examples
        --------
        >>> str(Reference.parse("titanic"))
        'titanic:latest'
        >>> Reference.parse("localhost:5000/team/titanic:1.0").registry
        'localhost:5000'
        """
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        registry = None
        first, slash, remainder = rest.partition("/")
        if slash and (first == "localhost" or "." in first or ":" in first):
            if _HOST.fullmatch(first) is None:
                raise InvalidReference(f"{first!r} is not a registry's host and port.")
            registry, rest = first, remainder
        name, colon, tag = rest.partition(":")
        check_name(name)
        if colon and _TAG.fullmatch(tag) is None:
            raise InvalidReference(
                f"{tag!r} is not a tag.",
                hint="A tag has letters, digits, '_', '.' and '-', and at most 128 of them.",
            )
        return cls(
            registry=registry,
            name=name,
            tag=tag if colon else None if digest else DEFAULT_TAG,
            digest=digest,
        )

    @property
    def is_remote(self) -> bool:
        """Whether the reference names a registry."""
        return self.registry is not None

    def __str__(self) -> str:
        text = self.name if self.registry is None else f"{self.registry}/{self.name}"
        if self.tag is not None:
            text += f":{self.tag}"
        return text if self.digest is None else f"{text}@{self.digest}"


def check_name(name: str) -> str:
    """Return the name, if it is one.

    Raises
    ------
    InvalidReference
        Where it is empty, too long, or has other characters.

    Examples
    --------
    >>> check_name("team/titanic")
    'team/titanic'
    """
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        shown = name if len(name) <= 60 else name[:57] + "..."
        raise InvalidReference(
            f"{shown!r} is not a name.",
            hint="A name has lower-case letters and digits, with '.', '_', '-' or '/' between "
            "them, and at most 255 characters.",
        )
    return name
