"""Ray Serve: an application of the bundle for a cluster that is there already.

Each replica runs the bundle's own server in an environment made from the lock on its node, and
replays the receipt on it before Serve sends it a request (``deploy/ray_replica.py``).

References
----------
Ray documentation: "Ray Serve: Configure Ray Serve deployments", "Autoscaling", "Runtime
environments" (``working_dir``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.deploy.plan import MIB
from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

APPLICATION: Final = "service.py"
_WORKING_DIR_BYTES: Final = 500 * MIB
"""Ray sends a larger folder to no node."""

_SERVICE = """\
\"\"\"{name} {version} on Ray Serve.

On a cluster whose nodes have samovar and a Python {python} for the model's own environment:

    serve run --working-dir . --name {label} service:app

  bundle {digest}
\"\"\"

from ray import serve

from samovar.deploy.ray_replica import Replica

app = (
    serve.deployment(Replica)
    .options(
        name="{label}",
        {replicas}
        ray_actor_options={{"num_cpus": {cpus}, "memory": {memory}}},
        # The server batches whatever waits, so it is given more than one request at a time.
        max_ongoing_requests=128,
        health_check_period_s=2,
        graceful_shutdown_timeout_s=30,
    )
    .bind(
        bundle="{bundle}",
        digest="{digest}",
        workers={workers},
    )
)
"""
_FIXED = "num_replicas={replicas},"
_SCALED = """\
autoscaling_config={{
            "min_replicas": {replicas},
            "max_replicas": {most},
            "target_ongoing_requests": 32,
        }},"""


def write(plan: Plan, *, bundle: str, most: int | None = None) -> Files:
    """Write ``service.py``.

    Parameters
    ----------
    plan : Plan
        What to run; ``replicas`` are the least where it is scaled.
    bundle : str
        What a node opens: the saved bundle in the same folder, or a reference in a registry.
    most : int, optional
        Up to how many replicas Serve may start under load.

    Raises
    ------
    UserError
        Where fewer may be started than there have to be.
    """
    if most is not None and most < plan.replicas:
        raise UserError(
            f"At most {most} replicas are fewer than {plan.replicas}.",
            hint="Give --max-replicas at least as many as --replicas.",
        )
    service = plan.service
    scale = _FIXED if most is None else _SCALED
    text = _SERVICE.format(
        name=service.name,
        version=service.version,
        label=service.label,
        python=service.python,
        digest=service.digest,
        bundle=bundle,
        replicas=scale.format(replicas=plan.replicas, most=most),
        cpus=plan.cpu_text,
        memory=plan.memory_bytes,
        workers=plan.workers,
    )
    return {APPLICATION: text}


def check_size(size_bytes: int) -> None:
    """Refuse to send a bundle along that Ray would not carry.

    Raises
    ------
    UserError
        Saying how else nodes get it.
    """
    if size_bytes > _WORKING_DIR_BYTES:
        raise UserError(
            f"A bundle of {size_bytes // MIB} MiB is too large to travel with a Ray application.",
            hint="Push it, and name it by --image REGISTRY/NAME:TAG: each node pulls it.",
            code="too_large",
        )
