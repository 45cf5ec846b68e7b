"""HTTP status codes of errors, and the only place that knows them.

References
----------
RFC 9110, section 15 (status codes); RFC 6585 (429, 431).
"""

from __future__ import annotations

from typing import Final

from samovar.errors import InvalidInput, SamovarError, ScriptFailed, Unavailable

OK: Final = 200
NO_CONTENT: Final = 204
BAD_REQUEST: Final = 400
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
REQUEST_TIMEOUT: Final = 408
CONTENT_TOO_LARGE: Final = 413
URI_TOO_LONG: Final = 414
UNSUPPORTED_MEDIA_TYPE: Final = 415
EXPECTATION_FAILED: Final = 417
UNPROCESSABLE_CONTENT: Final = 422
HEADERS_TOO_LARGE: Final = 431
INTERNAL_ERROR: Final = 500
UNAVAILABLE: Final = 503

REASONS: Final = {
    100: "Continue",
    OK: "OK",
    NO_CONTENT: "No Content",
    BAD_REQUEST: "Bad Request",
    NOT_FOUND: "Not Found",
    METHOD_NOT_ALLOWED: "Method Not Allowed",
    REQUEST_TIMEOUT: "Request Timeout",
    CONTENT_TOO_LARGE: "Content Too Large",
    URI_TOO_LONG: "URI Too Long",
    UNSUPPORTED_MEDIA_TYPE: "Unsupported Media Type",
    EXPECTATION_FAILED: "Expectation Failed",
    UNPROCESSABLE_CONTENT: "Unprocessable Content",
    HEADERS_TOO_LARGE: "Request Header Fields Too Large",
    INTERNAL_ERROR: "Internal Server Error",
    UNAVAILABLE: "Service Unavailable",
}
_OF_CODE: Final = {
    "malformed_request": BAD_REQUEST,
    "malformed_json": BAD_REQUEST,
    "malformed_body": BAD_REQUEST,
    "not_found": NOT_FOUND,
    "method_not_allowed": METHOD_NOT_ALLOWED,
    "too_slow": REQUEST_TIMEOUT,
    "too_large": CONTENT_TOO_LARGE,
    "target_too_long": URI_TOO_LONG,
    "unsupported_media_type": UNSUPPORTED_MEDIA_TYPE,
    "unsupported_encoding": UNSUPPORTED_MEDIA_TYPE,
    "unsupported_expectation": EXPECTATION_FAILED,
    "headers_too_large": HEADERS_TOO_LARGE,
}


def status_of(error: SamovarError) -> int:
    """Give the status of an error: what a client did is 4xx, and nothing else is.

    Parameters
    ----------
    error : SamovarError
        Raised while a request was read or answered.
    """
    if error.code in _OF_CODE:
        return _OF_CODE[error.code]
    if isinstance(error, InvalidInput):
        return UNPROCESSABLE_CONTENT
    if isinstance(error, Unavailable):
        return UNAVAILABLE
    # A model raises for rows that it does not take, and we cannot tell this from its own faults
    # but by the kind of the exception (predictor.py).
    if isinstance(error, ScriptFailed) and error.code == "model_refused":
        return UNPROCESSABLE_CONTENT
    return INTERNAL_ERROR
