"""The agent's own page, on loopback: its status as JSON, and its metrics for Prometheus.

References
----------
Prometheus documentation, "Exposition formats", the text format 0.0.4.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_METRICS: Final = (
    ("samovar_agent_serving", "gauge", "Whether clients are answered."),
    ("samovar_agent_switches_total", "counter", "Bundles brought into service."),
    ("samovar_agent_restarts_total", "counter", "Servers started again after they died."),
    ("samovar_agent_refused", "gauge", "Digests that are never tried again."),
    ("samovar_agent_registry_failures", "gauge", "Questions in a row that had no answer."),
    ("samovar_agent_up_to_date", "gauge", "Whether what is served is what the registry has."),
)


def start_page(port: int, status: Callable[[], dict[str, Any]]) -> str:
    """Answer ``/`` and ``/metrics`` on a port of loopback, in threads; give the URL.

    Raises
    ------
    Unavailable
        Where the port is taken.
    """

    class Page(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """Answer it."""
            if self.path == "/metrics":
                self._answer(metrics_text(status()), "text/plain; version=0.0.4; charset=utf-8")
            elif self.path == "/":
                self._answer(json.dumps(status(), indent=1) + "\n", "application/json")
            else:
                self.send_error(404)

        def _answer(self, text: str, content_type: str) -> None:
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Write no access log."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Page)
    except OSError as error:
        raise Unavailable(
            f"The status page cannot listen on port {port}: {error.strerror}.",
            hint="Name another one with --status-port.",
            code="port_taken",
        ) from error
    threading.Thread(target=server.serve_forever, name="page", daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def metrics_text(status: dict[str, Any]) -> str:
    """Give the status as Prometheus reads it."""
    serving, registry = status["serving"], status["registry"]
    is_latest = serving is not None and serving["digest"] == registry["digest"]
    values = (
        int(serving is not None),
        status["switches"],
        status["restarts"],
        len(status["refused"]),
        registry["failures"],
        int(is_latest),
    )
    lines = []
    for (name, kind, words), value in zip(_METRICS, values, strict=True):
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}", f"{name} {value}"]
    if serving is not None:
        name = "samovar_agent_info"
        lines += [f"# HELP {name} What is served.", f"# TYPE {name} gauge"]
        lines.append(f'{name}{{digest="{serving["digest"]}",bundle="{serving["bundle"]}"}} 1')
    return "\n".join(lines) + "\n"
