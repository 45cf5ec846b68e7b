"""Errors in the form of each protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from samovar.runtime.http_errors import INTERNAL_ERROR, NOT_FOUND, UNAVAILABLE

if TYPE_CHECKING:
    from samovar.errors import SamovarError

_MLFLOW_CODES = {
    NOT_FOUND: "ENDPOINT_NOT_FOUND",
    UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
    INTERNAL_ERROR: "INTERNAL_ERROR",
}


def body_for(path: bytes, error: SamovarError, status: int) -> bytes:
    """Write an error as the clients of a path expect it.

    Parameters
    ----------
    path : bytes
        Of the request: ``/v2...`` gets ``{"error": "..."}``, ``/invocations`` MLflow's
        ``{"error_code", "message"}``, everything else ``{"error": {"code","message","hint"}}``.
    error : SamovarError
        What went wrong.
    status : int
        Of the reply.
    """
    document: dict[str, Any]
    if path.startswith(b"/v2"):
        hint = f" {error.hint}" if error.hint else ""
        document = {"error": str(error) + hint}
    elif path == b"/invocations":
        document = {
            "error_code": _MLFLOW_CODES.get(status, "BAD_REQUEST"),
            "message": str(error),
        }
    else:
        document = {"error": {"code": error.code, "message": str(error), "hint": error.hint or ""}}
    return msgspec.json.encode(document)
