"""One replica of a Ray Serve application; this runs in Ray's interpreter on a node of the cluster.

The model never meets Ray's packages: its server is a process of its own, in an environment made
from the lock in this node's home. Serve counts the replica once the receipt was replayed on it.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import httpx

from samovar.bundle.resolve import resolve
from samovar.bundle.serve import ServeOptions, Server, prepare_server
from samovar.bundle.service import verify_service
from samovar.bundle.target import read_target
from samovar.errors import Damaged, Refused, Unavailable
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.bundle.opened import Bundle

REPLICA: Final = "x-samovar-replica"
"""Names the process that answered."""
_TIMEOUT_S: Final = 120.0
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host",
     "content-length", "proxy-authenticate", "proxy-authorization"}
)  # fmt: skip


class Replica:
    """The bundle's own server behind Serve's proxies.

    Parameters
    ----------
    bundle : str
        A TARGET that this node can open.
    digest : str
        Of the bundle that it must be.
    workers : int
        Processes of the server.

    Raises
    ------
    Damaged
        Where another bundle is there.
    Refused
        Where it does not give the receipt's answers on this node; Serve then sends it nothing.
    """

    def __init__(self, *, bundle: str, digest: str, workers: int = 1) -> None:
        home = Home.locate()
        store = Store(home.store)
        _, opened = resolve(home, store, read_target(bundle, store), _quiet)
        if str(opened.digest) != digest:
            raise Damaged(f"{bundle} is {opened.digest}, and {digest} was to be deployed.")
        # The pipe closes with this process, however it ends, and the server ends with it.
        lifeline, self._held = os.pipe()
        options = ServeOptions(port=0, workers=workers, as_json=True, lifeline=lifeline)
        server = prepare_server(
            home,
            store,
            opened,
            name=opened.document.name,
            python=None,
            options=options,
            progress=_quiet,
        )
        self._process = _start(server, lifeline)
        try:
            url = _url(self._process)
            _prove(url, opened)
        except BaseException:
            self._end()
            raise
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False)

    async def __call__(self, request: Any) -> Any:
        """Pass a request on to the server, and its answer back.

        Parameters
        ----------
        request : starlette.requests.Request
            From Serve's proxy.

        Returns
        -------
        starlette.responses.Response
            The server's own, with the process that gave it.
        """
        from starlette.responses import Response

        query = f"?{request.url.query}" if request.url.query else ""
        answer = await self._client.request(
            request.method,
            f"{request.url.path}{query}",
            headers=_end_to_end(request.headers.items()),
            content=await request.body(),
        )
        headers = {**_end_to_end(answer.headers.items()), REPLICA: str(self._process.pid)}
        return Response(answer.content, status_code=answer.status_code, headers=headers)

    def check_health(self) -> None:
        """Tell Serve that the server has ended, so that another replica is started.

        Raises
        ------
        Unavailable
            With its exit code.
        """
        code = self._process.poll()
        if code is not None:
            raise Unavailable(f"The server of the replica ended with {code}.")

    def __del__(self) -> None:
        """End the server; Serve has drained the replica by now."""
        with suppress(AttributeError):  # __init__ did not come so far
            self._end()

    def _end(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _start(server: Server, lifeline: int) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            server.arguments,
            env=server.variables,
            cwd=server.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            pass_fds=(lifeline,),
        )
    finally:
        os.close(lifeline)


def _url(process: subprocess.Popen[str]) -> str:
    """Wait for the server's ready line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(line)["url"])
    raise Unavailable(
        "The server of the replica did not become ready.", why=line.strip() or None, code="replica"
    )


def _prove(url: str, bundle: Bundle) -> None:
    found = verify_service(url, bundle.document, bundle.receipt)
    if found.verdict == "DIFFERENT":
        raise Refused(
            "The receipt does not hold on this node.",
            why=f"{len(found.comparison.differences) if found.comparison else 0} of {found.rows} "
            "rows differ.",
            code="different",
        )


def _end_to_end(headers: Any) -> dict[str, str]:
    """Leave out what is between two neighbours only (RFC 9110, section 7.6.1)."""
    return {name: value for name, value in headers if name.lower() not in _HOP_BY_HOP}


def _quiet(_text: str) -> None:
    """Say nothing: Serve's logs are for what goes wrong."""
