"""Arrow IPC streams as bodies and answers of ``/predict``.

References
----------
RFC 9110, section 12.5.1 (Accept); IANA, application/vnd.apache.arrow.stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput
from samovar.runtime.arrow.reading import read_parts
from samovar.runtime.arrow.writing import MEDIA_TYPE, write_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.signature import Signature
    from samovar.runtime.columns import ColumnReader
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.http.head import Head
    from samovar.runtime.outputs import Answer

_JSON: Final = b"application/json"


class ArrowRows:
    """Reads streams into rows of one signature.

    Parameters
    ----------
    signature : Signature
        Of the model.
    reader : ColumnReader
        Of the same signature.
    """

    def __init__(self, signature: Signature, reader: ColumnReader) -> None:
        self._signature = signature
        self._reader = reader

    def read(self, body: bytes) -> Any:
        """Read the rows of a stream.

        Raises
        ------
        InvalidInput
            Naming the column, or the row and column, of what does not fit.
        """
        parts = read_parts(body, self._signature)
        if not parts[0].shape[0]:
            raise InvalidInput("There are no rows.", hint="Send at least one row.", code="no_rows")
        return self._reader.read_rows(parts)


def is_arrow(head: Head) -> bool:
    """Whether a request's body is an Arrow stream."""
    return head.content_type == MEDIA_TYPE


def asks_for_arrow(head: Head) -> bool:
    """Whether the answer is to be a stream: as ``Accept`` says, or else as the body is."""
    accepted = head.headers.get(b"accept")
    if accepted is None:
        return is_arrow(head)
    kinds = {_kind(entry) for entry in accepted.lower().split(b",")}
    return MEDIA_TYPE in kinds or (is_arrow(head) and _JSON not in kinds)


def _kind(entry: bytes) -> bytes:
    """Give the media type of an entry; nothing for one that is not acceptable (weight 0)."""
    kind, _, parameters = entry.partition(b";")
    weight = parameters.strip().removeprefix(b"q=")
    is_refused = parameters.strip() != weight and not weight.strip(b"0.")
    return b"" if is_refused else kind.strip()


def encode_arrow(_exchange: Exchange, answers: Sequence[Answer]) -> tuple[bytes, bytes, bytes]:
    """Write the answers as a stream: body, media type, headers."""
    return write_stream(answers), MEDIA_TYPE, b""
