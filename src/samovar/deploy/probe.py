"""Wait until a deployed service answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY_S = 0.1


def wait_until_answers(
    url: str, *, within_s: float, alive: Callable[[], bool] = lambda: True
) -> None:
    """Ask a URL until it is answered with anything but a 5xx.

    Parameters
    ----------
    url : str
        What is asked by GET.
    within_s : float
        Longest wait, in seconds.
    alive : callable
        Tells whether waiting still makes sense.

    Raises
    ------
    Unavailable
        Where it takes longer, or the service ended.
    """
    deadline = time.monotonic() + within_s
    last = "nobody listens there"
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        while time.monotonic() < deadline and alive():
            try:
                answer = client.get(url)
            except httpx.TransportError as error:
                last = str(error) or type(error).__name__
            else:
                if not answer.is_server_error:
                    return
                last = f"status {answer.status_code}"
            time.sleep(_EVERY_S)
    raise Unavailable(
        f"The service does not answer at {url}.", why=last, code="service_unreachable"
    )
