"""``deploy uwsgi-nginx --apply``: the author's Flask application behind a real NGINX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from behind_nginx import Deployed, check_death, check_index, check_reload
from cli import copy_example, samovar
from engines.processes import free_port, need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_example(tmp_path_factory.mktemp("deployed") / "web")


@pytest.fixture(scope="module")
def deployed(project: Path) -> Iterator[Deployed]:
    need("nginx", "apt install nginx")
    service = Deployed(
        way=("uwsgi-nginx", "--cpus", "2"),
        folder=project.with_name("service"),
        home=project.with_name("home"),
        port=free_port(),
    )
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=service.home)
    assert service.apply(project).json["endpoints"] == [service.url]
    yield service
    service.control("stop")


def test_the_authors_application_answers_through_nginx(deployed: Deployed) -> None:
    check_index(deployed)


def test_bodies_that_are_too_large_stop_at_nginx(deployed: Deployed) -> None:
    answer = httpx.post(
        f"{deployed.url}/predict", content=b" " * (17 * 1024 * 1024), trust_env=False
    )
    assert answer.status_code == 413


def test_a_reload_under_load_loses_no_request(deployed: Deployed) -> None:
    check_reload(deployed, of_workers=True)


def test_a_service_that_answers_otherwise_is_not_put_in_place(
    deployed: Deployed, project: Path
) -> None:
    server = project / "server.py"
    before = server.read_text()
    server.write_text(
        before.replace("int(model.predict(row)[0])", "1 - int(model.predict(row)[0])")
    )
    try:
        refused = deployed.apply(project, code=1)
    finally:
        server.write_text(before)
    assert refused.error["code"] == "different"
    assert deployed.ask().json() == {"prediction": 1}


def test_a_taken_port_is_named(deployed: Deployed, project: Path, tmp_path: Path) -> None:
    refused = deployed.apply(project, code=3, folder=tmp_path / "second")
    assert str(deployed.port) in refused.error["message"]
    assert refused.error["hint"].endswith("--port.")
    assert not (tmp_path / "second").exists()


def test_an_address_of_another_machine_is_told(
    deployed: Deployed, project: Path, tmp_path: Path
) -> None:
    elsewhere = samovar(
        "deploy", "uwsgi-nginx", project, "-o", tmp_path / "second", "--address", "203.0.113.7",
        "--apply", "--json", code=3, SAMOVAR_HOME=deployed.home,
    )  # fmt: skip
    assert elsewhere.error["code"] == "no_address"
    assert "--address" in elsewhere.error["hint"]


def test_the_death_of_uwsgi_ends_the_service(deployed: Deployed) -> None:
    check_death(deployed)
    assert deployed.ask().json() == {"prediction": 1}
