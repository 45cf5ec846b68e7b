"""Content digests as the OCI image specification writes them.

References
----------
OCI image specification, descriptor.md, section "Digests".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.errors import InvalidReference

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 digest, ``sha256:`` and 64 lower-case hexadecimal digits.

    Only SHA-256 is accepted: a weaker algorithm in a received document is an error, never a
    digest that is skipped.
    """

    value: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read a digest from outside.

        Raises
        ------
        InvalidReference
            Where the text is not a SHA-256 digest.

        Examples
        --------
        >>> Digest.parse("sha256:" + "0" * 64).short
        '000000000000'
        """
        if not isinstance(text, str) or _PATTERN.fullmatch(text) is None:
            raise InvalidReference(
                f"{text!r} is not a SHA-256 digest.",
                hint="A digest is written sha256: and 64 lower-case hexadecimal digits.",
            )
        return cls(text)

    @classmethod
    def of(cls, data: bytes | memoryview) -> Digest:
        """Compute the digest of bytes.

        Examples
        --------
        >>> Digest.of(b"").short
        'e3b0c44298fc'
        """
        return cls("sha256:" + hashlib.sha256(data).hexdigest())

    @classmethod
    def of_chunks(cls, chunks: Iterable[bytes]) -> Digest:
        """Compute the digest of bytes that arrive in pieces; how they are cut does not matter."""
        state = hashlib.sha256()
        for chunk in chunks:
            state.update(chunk)
        return cls("sha256:" + state.hexdigest())

    @property
    def hex(self) -> str:
        """The 64 hexadecimal digits."""
        return self.value[7:]

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.value[7:19]

    def __str__(self) -> str:
        return self.value
