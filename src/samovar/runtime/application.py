"""Serve the project's own application."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from samovar.errors import Unavailable
from samovar.runtime.apps.asgi import AsgiRunner
from samovar.runtime.apps.finding import is_asgi, load_application
from samovar.runtime.apps.wsgi import WsgiRunner
from samovar.runtime.http.head import Routes
from samovar.runtime.http_errors import OK
from samovar.runtime.metrics import Metrics, SharedCounts, endpoint
from samovar.runtime.quota import usable_cpus
from samovar.runtime.serve import bind, limits_of, run
from samovar.runtime.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.job import Job
    from samovar.runtime.limits import Limits
    from samovar.runtime.worker import MakeServer


def serve_application(job: Job, announce: Callable[[str, int], None]) -> int:
    """Serve the application that the job names, from its project's folder.

    It is imported once, before workers are forked: a fault in it is told at once, and a model that
    it loads is shared.

    Parameters
    ----------
    job : Job
        Its option ``app`` is ``module:object``.
    announce : callable
        Is told URL and workers when connections are taken.
    """
    count = job.options.get("workers") or (usable_cpus() if os.name == "posix" else 1)
    sockets = bind(job, count)
    os.chdir(job.project)
    sys.path.insert(0, str(job.project))
    application = load_application(str(job.options["app"]))
    limits = limits_of(job)
    counts = SharedCounts(count)

    def for_worker(number: int) -> MakeServer:
        def make(loop: Any) -> Server:
            return make_app_server(
                loop,
                application,
                limits,
                counts.of_worker(number),
                is_multiprocess=count > 1,
                access_log=bool(job.options.get("access_log")),
            )

        return make

    return run(sockets, count, for_worker, limits=limits, job=job, announce=announce)


def make_app_server(
    loop: Any,
    application: Any,
    limits: Limits,
    metrics: Metrics,
    *,
    is_multiprocess: bool,
    access_log: bool,
) -> Server:
    """Make a worker's state: health paths of our own, everything else the application's."""
    runner: AsgiRunner | WsgiRunner
    if is_asgi(application):
        runner = AsgiRunner(loop, application, limits.max_queue)
        runner.start()
    else:
        runner = WsgiRunner(loop, application, limits.max_queue, is_multiprocess=is_multiprocess)

    def live(exchange: Exchange) -> None:
        exchange.reply(OK, b'{"live":true}')

    def ready(exchange: Exchange) -> None:
        if server.is_draining or runner.is_full:
            raise Unavailable("No request would be answered now.", code="not_ready")
        exchange.reply(OK, b'{"ready":true}')

    paths = {b"/v2/health/live": {b"GET": live}, b"/v2/health/ready": {b"GET": ready}}
    endpoints = dict.fromkeys(paths, endpoint("/v2/health"))
    routes = Routes(paths, endpoints, fallback=runner.handle)
    server = Server(loop, routes, limits, metrics, access_log=access_log)
    server.on_close = runner.close
    return server
