"""``samovar deploy``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.service import verify_service
from samovar.cli import exit_codes
from samovar.cli.deploy_agent import command as agent_command
from samovar.cli.policies import enforce_policy, policy_option
from samovar.cli.sizes import read_size
from samovar.cli.targets import open_target
from samovar.deploy.folder import (
    archive_name,
    service_of,
    write_archive,
    write_bundle,
    write_files,
)
from samovar.deploy.kubernetes import ROUTES
from samovar.deploy.plan import Plan
from samovar.errors import Refused
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen

_OPTIONS = (
    click.argument("target", required=False),
    click.option(
        "-o",
        "--output",
        "folder",
        metavar="DIR",
        required=True,
        type=click.Path(path_type=Path),
        help="Where the files are written.",
    ),
    click.option("--replicas", type=int, default=2, show_default=True),
    click.option("--cpus", type=float, default=1.0, show_default=True, help="For each replica."),
    click.option(
        "--memory", callback=read_size, default="512m", show_default=True, help="For each."
    ),
    click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True),
    click.option("--address", help="To listen on; by default loopback, for ansible every one."),
    click.option("--image", metavar="REF", help="Image of the bundle; by default NAME:VERSION."),
    click.option("--balancer", metavar="REF", default="nginx:1.28", show_default=True),
    policy_option,
)


def _with_options(function: Any) -> Any:
    for option in reversed(_OPTIONS):
        function = option(function)
    return click.pass_obj(function)


@click.group()
def command() -> None:
    """Write what an expert would have written for an orchestrator, and carry it out."""


@command.command("compose")
@_with_options
@click.option("--apply", is_flag=True, help="Also start it with Docker Compose.")
def compose_command(screen: Screen, *, apply: bool, **options: Any) -> int:
    """Run replicas with limits behind NGINX on one Docker engine."""
    from samovar.deploy import apply_compose, compose

    job = _Job(screen, options)
    written = write_files(compose.write(job.plan), job.folder)
    endpoints = []
    if apply:
        with screen.progress("Deploying") as progress:
            endpoints = apply_compose.apply(job.plan, job.folder, progress)
            for endpoint in endpoints:
                job.prove(endpoint)
    return job.done(written, endpoints, applied=apply)


@command.command("uwsgi-nginx")
@_with_options
@click.option("--apply", is_flag=True, help="Also start it on this machine.")
def uwsgi_command(screen: Screen, *, apply: bool, **options: Any) -> int:
    """Run the project's own application in uWSGI behind NGINX."""
    from samovar.deploy import environments, uwsgi

    job = _Job(screen, options)
    files = uwsgi.write(job.plan)
    if not apply:
        return job.done([*write_files(files, job.folder), *job.write_bundle(job.folder)])
    return job.put_in_place(
        lambda staged: [*write_files(files, staged), *job.write_bundle(staged)],
        lambda staged, tell: environments.make_uwsgi(job.bundle, staged, tell),
    )


@command.command("nginx")
@_with_options
@click.option("--app", is_flag=True, help="Serve the project's own application.")
@click.option("--apply", is_flag=True, help="Also start it on this machine.")
def nginx_command(screen: Screen, *, app: bool, apply: bool, **options: Any) -> int:
    """Run samovar's own server behind NGINX on a bare machine."""
    from samovar.deploy import behind_nginx, environments

    job = _Job(screen, options)
    home = Home.locate()
    store = Store(home.store)
    files = behind_nginx.write(
        job.plan, bundle=archive_name(job.bundle), app=app, program=_own_program()
    )

    def lay(folder: Path) -> list[str]:
        return [*write_files(files, folder), write_archive(store, job.bundle, folder)]

    if not apply:
        return job.done(lay(job.folder))
    return job.put_in_place(
        lay, lambda _staged, tell: environments.make_cached(home, store, job.bundle, tell)
    )


@command.command("ansible")
@_with_options
@click.option(
    "--host", "hosts", multiple=True, metavar="[USER@]HOST[:PORT]", help="Once for each host."
)
@click.option("--apply", is_flag=True, help="Also run the playbook.")
def ansible_command(screen: Screen, *, apply: bool, **options: Any) -> int:
    """Bring the service to hosts with SSH, one after the other."""
    import samovar
    from samovar.deploy import ansible, apply_ansible
    from samovar.deploy.own_wheel import wheel_name

    job = _Job(screen, options)
    files = ansible.write(job.plan, version=samovar.__version__, wheel=wheel_name())
    written = write_files(files, job.folder)
    written += apply_ansible.write_payload(Store(Home.locate().store), job.bundle, job.folder)
    if not apply:
        return job.done(written)
    with screen.progress("Deploying") as progress:
        endpoints, changed = apply_ansible.apply(job.plan, job.folder, progress)
    return job.done(written, endpoints, applied=True, changed=changed)


@command.command("swarm")
@_with_options
def swarm_command(screen: Screen, **options: Any) -> int:
    """Write a stack for Docker Swarm that survives the loss of a node."""
    from samovar.deploy import swarm

    job = _Job(screen, options)
    return job.done(write_files(swarm.write(job.plan), job.folder))


@command.command("kubernetes")
@_with_options
@click.option("--kubernetes-version", metavar="1.N", help="Of the cluster; else every supported.")
@click.option(
    "--route", type=click.Choice(ROUTES), default=ROUTES[0], show_default=True, help="From outside."
)
@click.option("--hostname", metavar="NAME", help="What clients outside call.")
@click.option("--model-volume", metavar="REF", help="Image whose model is mounted as a volume.")
def kubernetes_command(screen: Screen, **options: Any) -> int:
    """Write manifests for Kubernetes, as a Kustomize base with overlays."""
    from samovar.deploy import kubernetes

    cluster = kubernetes.Cluster(
        minor=kubernetes.read_version(options["kubernetes_version"]),
        route=options["route"],
        hostname=options["hostname"],
        model_image=options["model_volume"],
    )
    job = _Job(screen, options)
    return job.done(write_files(kubernetes.write(job.plan, cluster), job.folder))


@command.command("ray")
@_with_options
@click.option("--max-replicas", type=int, help="Up to how many Serve may start under load.")
@click.option("--apply", is_flag=True, help="Also deploy it on the cluster that RAY_ADDRESS names.")
def ray_command(screen: Screen, *, apply: bool, max_replicas: int | None, **options: Any) -> int:
    """Write a Ray Serve application whose replicas prove themselves before they are asked."""
    from samovar.deploy import apply_ray, ray

    job = _Job(screen, options)
    pulled = options["image"]
    bundle = pulled or archive_name(job.bundle)
    written = write_files(ray.write(job.plan, bundle=bundle, most=max_replicas), job.folder)
    if pulled is None:
        written += apply_ray.write_payload(Store(Home.locate().store), job.bundle, job.folder)
    if not apply:
        return job.done(written)
    with screen.progress("Deploying") as progress:
        endpoints = apply_ray.apply(job.plan, job.folder, progress)
        for endpoint in endpoints:
            job.prove(endpoint)
    return job.done(written, endpoints, applied=True)


command.add_command(agent_command, "agent")


class _Job:
    """One call: the bundle that is deployed, the plan, and the folder."""

    def __init__(self, screen: Screen, options: dict[str, Any]) -> None:
        self.screen = screen
        self.folder: Path = options["folder"].absolute()
        name, self.bundle = open_target(screen, options["target"])
        store = Store(Home.locate().store)
        enforce_policy(
            store, options["target"], name, self.bundle, options["policy"], with_index=True
        )
        self.plan = _plan(self.bundle, options)

    def prove(self, endpoint: str) -> None:
        """Replay the receipt on a running service.

        Raises
        ------
        Refused
            Where it answers otherwise.
        """
        found = verify_service(endpoint, self.bundle.document, self.bundle.receipt)
        if found.verdict == "DIFFERENT":
            raise Refused(
                f"The service at {endpoint} does not give the receipt's answers.",
                hint=f"See 'samovar verify {endpoint} --against ...' for the rows that differ.",
                code="different",
            )

    def put_in_place(
        self,
        lay: Callable[[Path], list[str]],
        prepare: Callable[[Path, Callable[[str], None]], None],
    ) -> int:
        """Lay a folder that is a whole service beside its place, and start it there."""
        from samovar.deploy import apply_folder

        staged = self.folder.with_name(f"{self.folder.name}.staged")
        shutil.rmtree(staged, ignore_errors=True)
        try:
            written = lay(staged)
            with self.screen.progress("Deploying") as progress:
                endpoints = apply_folder.apply(
                    self.plan,
                    staged,
                    self.folder,
                    prepare=lambda folder: prepare(folder, progress),
                    prove=self.prove,
                    progress=progress,
                )
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return self.done(written, endpoints, applied=True)

    def write_bundle(self, folder: Path) -> list[str]:
        """Write what of the bundle runs outside an image."""
        from samovar.bundle.opened import unpack_bundle

        home = Home.locate()
        with home.workspace() as workspace:
            unpacked = unpack_bundle(Store(home.store), self.bundle, workspace / "bundle")
            return write_bundle(self.bundle, unpacked, folder)

    def done(
        self,
        written: list[str],
        endpoints: Sequence[str] = (),
        *,
        applied: bool = False,
        **more: Any,
    ) -> int:
        """Render what was done."""
        document = {
            "written": sorted(written), "applied": applied, "endpoints": [*endpoints], **more
        }  # fmt: skip
        lines = [f"Wrote {len(written)} files into {self.folder}."]
        lines += [f"It answers at {endpoint}" for endpoint in endpoints]
        self.screen.result(document, "\n".join(lines))
        return exit_codes.DONE


def _own_program() -> str:
    """Give what starts samovar from a script: its name, or its path where no PATH leads to it."""
    beside = Path(sys.executable).with_name("samovar")
    return str(beside) if shutil.which("samovar") is None and beside.exists() else "samovar"


def _plan(bundle: Bundle, options: dict[str, Any]) -> Plan:
    hosts: tuple[str, ...] = options.get("hosts", ())
    return Plan(
        service=service_of(bundle, image=options["image"]),
        replicas=options["replicas"],
        cpus=options["cpus"],
        memory_bytes=options["memory"],
        port=options["port"],
        address=options["address"] or ("0.0.0.0" if hosts else "127.0.0.1"),  # noqa: S104 - of hosts
        hosts=hosts,
        balancer=options["balancer"],
    )
