"""``POST /invocations`` as MLflow's scoring server takes it.

References
----------
MLflow documentation, "Local model inference endpoint": ``dataframe_split``,
``dataframe_records``, ``instances``, ``inputs``, and CSV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput
from samovar.runtime.protocols.bodies import check_json_type, decode_mlflow_json, plain_body
from samovar.runtime.protocols.csv_rows import read_csv
from samovar.runtime.protocols.plain import encode_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samovar.runtime.codec import Codec, Rows
    from samovar.runtime.http.exchange import Exchange

_FORMS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")


class InvocationsProtocol:
    """Reads and answers ``/invocations``.

    Parameters
    ----------
    codec : Codec
        Checks rows.
    submit : callable
        Queues an exchange whose rows were read.
    """

    def __init__(self, codec: Codec, submit: Callable[[Exchange], None]) -> None:
        self._codec = codec
        self._submit = submit

    def handle(self, exchange: Exchange) -> None:
        """Read the rows in whichever form they came, and queue them."""
        body = plain_body(exchange)
        if exchange.head.content_type == b"text/csv":
            exchange.rows = read_csv(self._codec, body)
        else:
            check_json_type(exchange.head)
            exchange.rows = self._read(decode_mlflow_json(body))
        exchange.encode = encode_list
        self._submit(exchange)

    def _read(self, document: Any) -> Rows:
        if not isinstance(document, dict):
            raise _no_form()
        forms = [form for form in _FORMS if form in document]
        unknown = [name for name in document if name not in {*_FORMS, "params"}]
        if len(forms) != 1 or unknown:
            raise _no_form()
        if document.get("params"):
            raise InvalidInput("This model takes no params.", code="wrong_columns")
        form = forms[0]
        value = document[form]
        if form == "dataframe_split":
            return self._read_split(value)
        if isinstance(value, dict) and form != "dataframe_records":
            return self._read_columns(value)
        if not isinstance(value, list):
            raise InvalidInput(f"{form!r} is no list of rows.", code="malformed_body")
        return self._read_list(value)

    def _read_list(self, value: list[Any]) -> Rows:
        codec = self._codec
        if value and not codec.is_text and not isinstance(value[0], (list, dict)):
            # A flat list: one column, a value a row.
            return codec.read_rows([[item] for item in value])
        return codec.read_rows(value)

    def _read_columns(self, value: Mapping[str, Any]) -> Rows:
        columns = {
            name: column if isinstance(column, list) else [column] for name, column in value.items()
        }
        return self._codec.read_columns(columns)

    def _read_split(self, value: Any) -> Rows:
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise InvalidInput(
                "'dataframe_split' is no object with 'columns' and 'data'.", code="malformed_body"
            )
        names, rows = value.get("columns"), value["data"]
        if names is None or self._are_positions(names):
            return self._codec.read_rows(rows)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInput("'columns' is no list of names.", code="malformed_body")
        if len(set(names)) != len(names):
            raise InvalidInput("'columns' has a name twice.", code="wrong_columns")
        for number, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != len(names):
                raise InvalidInput(
                    f"Row {number} has not one value for each of the {len(names)} columns.",
                    code="wrong_number_of_values",
                )
        return self._codec.read_rows([dict(zip(names, row, strict=True)) for row in rows])

    def _are_positions(self, names: Any) -> bool:
        """Whether a frame without names is sent, whose columns pandas calls 0, 1, 2, ..."""
        own = self._codec.names
        return names == list(range(len(own))) and own == tuple(f"x{i}" for i in range(len(own)))


def _no_form() -> InvalidInput:
    return InvalidInput(
        "The body must have exactly one of 'dataframe_split', 'dataframe_records', 'instances' "
        "and 'inputs'.",
        code="malformed_body",
    )
