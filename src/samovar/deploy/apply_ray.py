"""Carry out ``deploy ray``: the cluster takes the application, whose replicas prove themselves."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from samovar.bundle.cluster import connect_ray
from samovar.deploy import ray
from samovar.deploy.folder import write_archive
from samovar.deploy.probe import wait_until_answers
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.deploy.plan import Plan
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_ANSWERS_WITHIN_S = 30.0
_SHOWN = 2000


def write_payload(store: Store, bundle: Bundle, folder: Path) -> list[str]:
    """Put the saved bundle beside the application; give its name."""
    ray.check_size(bundle.size_bytes)
    return [write_archive(store, bundle, folder)]


def apply(plan: Plan, folder: Path, progress: Progress) -> list[str]:
    """Deploy the application and wait until every replica has proven itself.

    Raises
    ------
    Unavailable
        Where there is no cluster, or a replica does not become ready: its reason is told, and what
        the cluster served before goes on.
    """
    progress("Connecting to the cluster")
    # Ray writes news of its nodes to stdout, which is the answer's alone.
    with redirect_stdout(sys.stderr):
        cluster = connect_ray(runtime_env={"working_dir": str(folder)})
        try:
            progress(f"Starting {plan.replicas} replicas")
            _deploy(plan, folder)
        finally:
            cluster.shutdown()
    endpoint = f"http://{'127.0.0.1' if plan.address == '0.0.0.0' else plan.address}:{plan.port}"  # noqa: S104 - only compared
    wait_until_answers(endpoint, within_s=_ANSWERS_WITHIN_S)
    return [endpoint]


def _deploy(plan: Plan, folder: Path) -> None:
    try:
        from ray import serve
    except ImportError as error:
        raise Unavailable(
            "Ray Serve is not installed beside samovar.",
            hint="Install samovar[ray-serve], in the version that the cluster has.",
            code="no_ray",
        ) from error
    name = plan.service.label
    known = name in _applications(serve)
    serve.start(http_options={"host": plan.address, "port": plan.port})
    with _importing(folder) as module:
        try:
            serve.run(module.app, name=name, route_prefix="/")
        except RuntimeError as error:
            why = _reason(serve, name) or str(error)
            hint = "'ray logs' has the rest."
            if known:
                hint = (
                    "What was served goes on; deploy it again, so that it is what Serve restarts."
                )
            else:
                serve.delete(name)
            raise Unavailable(
                "A replica did not become ready; nothing of it is served.",
                why=why[-_SHOWN:],
                hint=hint,
                code="deploy_failed",
            ) from error


@contextmanager
def _importing(folder: Path) -> Iterator[Any]:
    """Import the application as Serve's own command would, from its folder."""
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(ray.APPLICATION.removesuffix(".py"))
    finally:
        sys.path.remove(str(folder))


def _applications(serve: Any) -> dict[str, Any]:
    found: dict[str, Any] = serve.status().applications
    return found


def _reason(serve: Any, name: str) -> str:
    """Give what Serve says about an application that failed."""
    application = _applications(serve).get(name)
    if application is None:
        return ""
    messages = [deployment.message for deployment in application.deployments.values()]
    return os.linesep.join(message for message in messages if message)
