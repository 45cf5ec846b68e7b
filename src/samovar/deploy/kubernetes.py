"""Kubernetes: a Kustomize base of plain manifests, overlays, and what KServe takes instead.

Without a version the manifests use only what every supported minor version has; for a version that
is named they use what it has, and what it lacks is refused. Pod security is ``restricted``.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.core.reference import Reference
from samovar.deploy import kubernetes_texts as texts
from samovar.deploy.plan import SERVICE_PORT
from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

ROUTES: Final = ("ingress", "gateway", "none")
_OLDEST: Final = 23
"""autoscaling/v2 is the newest API that the manifests cannot do without."""
_SLEEP_SINCE: Final = 30
_IMAGE_VOLUMES_SINCE: Final = 31
_FOLDERS_OF_IMAGES_SINCE: Final = 33
"""KEP-4639: ``subPath``; and since then pods of a restricted namespace may have such volumes."""
_LONGEST: Final = 63 - len("-staging")
_HOSTNAME: Final = re.compile(r"(?=.{1,245}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the manifests are written for.

    Parameters
    ----------
    minor : int, optional
        Minor version of Kubernetes 1; None is every supported one.
    route : str
        One of :data:`ROUTES`: how clients outside come in.
    hostname : str, optional
        What they call; by default an example's.
    model_image : str, optional
        Image whose model is mounted over that of the service's, as an image volume.
    """

    minor: int | None = None
    route: str = "ingress"
    hostname: str | None = None
    model_image: str | None = None

    def __post_init__(self) -> None:
        """Refuse what such a cluster does not have.

        Raises
        ------
        UserError
            Naming the version that has it.
        """
        if self.minor is not None and self.minor < _OLDEST:
            raise UserError(
                f"Kubernetes 1.{self.minor} has no autoscaling/v2, which came with 1.{_OLDEST}.",
                hint=f"Deploy to Kubernetes 1.{_OLDEST} or newer.",
                code="kubernetes_version",
            )
        if self.hostname is not None and _HOSTNAME.fullmatch(self.hostname) is None:
            raise UserError(f"{self.hostname!r} is no host name in lower case.")
        if self.model_image is not None:
            Reference.parse(self.model_image)
            self._check_image_volumes()

    def _check_image_volumes(self) -> None:
        if self.minor is None or self.minor >= _FOLDERS_OF_IMAGES_SINCE:
            return
        lacks = (
            f"has no image volumes, which came with 1.{_IMAGE_VOLUMES_SINCE}"
            if self.minor < _IMAGE_VOLUMES_SINCE
            else "mounts only whole images; a folder of one (subPath) "
            f"came with 1.{_FOLDERS_OF_IMAGES_SINCE}"
        )
        raise UserError(
            f"Kubernetes 1.{self.minor} {lacks}.",
            hint=f"Deploy to Kubernetes 1.{_FOLDERS_OF_IMAGES_SINCE} or newer, or leave out "
            "--model-volume: an image of samovar brings its model along.",
            code="kubernetes_version",
        )


def read_version(text: str | None) -> int | None:
    """Read a version as clusters give it, ``1.35`` or ``v1.35.2``; gives the minor one.

    Raises
    ------
    UserError
        Where it is none of Kubernetes 1.

    Examples
    --------
    >>> read_version("v1.35.2"), read_version(None)
    (35, None)
    """
    if text is None:
        return None
    found = re.fullmatch(r"v?1\.(\d{1,3})(\.\d{1,4})?([-+][\w.+-]*)?", text, re.ASCII)
    if found is None:
        raise UserError(f"{text!r} is no version of Kubernetes, such as 1.35.")
    return int(found[1])


def write(plan: Plan, cluster: Cluster | None = None) -> Files:
    """Write ``manifests.yaml``, ``base/``, ``overlays/staging|production``, and ``options/``."""
    cluster = cluster or Cluster()
    values = _values(plan, cluster)
    base = {
        "deployment.yaml": texts.DEPLOYMENT,
        "service.yaml": texts.SERVICE,
        "serviceaccount.yaml": texts.ACCOUNT,
        "configmap.yaml": texts.CONFIG,
        "autoscaler.yaml": texts.HPA,
        "disruption-budget.yaml": texts.BUDGET,
        "network-policy.yaml": texts.NETWORK,
    }
    options = {"kserve.yaml": texts.KSERVE}
    for route, name, text in (
        ("ingress", "ingress.yaml", texts.INGRESS),
        ("gateway", "gateway-route.yaml", texts.ROUTE),
    ):
        (base if cluster.route == route else options)[name] = text
    files = {f"base/{name}": text.format(**values) for name, text in base.items()}
    # `kubectl apply -f` takes no folder that has a kustomization in it.
    files["manifests.yaml"] = "---\n".join(files[f"base/{name}"] for name in base)
    resources = textwrap.indent("\n".join(f"- {name}" for name in base), "  ")
    files["base/kustomization.yaml"] = texts.BASE.format(resources=resources)
    files["overlays/production/kustomization.yaml"] = texts.OVERLAY.format(
        overlay="production", suffix="", least=max(plan.replicas, 3), more="", **values
    )
    files["overlays/staging/kustomization.yaml"] = texts.OVERLAY.format(
        overlay="staging",
        suffix="nameSuffix: -staging\n",
        least=1,
        more=texts.STAGING.format(**values) + _staging_route(cluster).format(**values),
        **values,
    )
    files.update({f"options/{name}": text.format(**values) for name, text in options.items()})
    return files


def _values(plan: Plan, cluster: Cluster) -> dict[str, Any]:
    service = plan.service
    Reference.parse(service.image)
    label = service.label[:_LONGEST].rstrip("-")
    values: dict[str, Any] = {
        "name": service.name,
        "version": service.version,
        "label": label,
        "digest": service.digest,
        "image": service.image,
        "model_image": cluster.model_image,
        "hostname": cluster.hostname or f"{label}.example.com",
        "port": SERVICE_PORT,
        "replicas": plan.replicas,
        "most": max(plan.replicas * 4, plan.replicas + 1),
        "cpu": f"{round(plan.cpus * 1000)}m",
        "memory": plan.memory_mib,
    }
    can_sleep = cluster.minor is not None and cluster.minor >= _SLEEP_SINCE
    values["pause"] = texts.SLEEP if can_sleep else texts.SLEEP_BY_PYTHON
    values["mounts"] = texts.MOUNTS.format(**values) if cluster.model_image else ""
    return values


def _staging_route(cluster: Cluster) -> str:
    return {"ingress": texts.STAGING_INGRESS, "gateway": texts.STAGING_ROUTE, "none": ""}[
        cluster.route
    ]
