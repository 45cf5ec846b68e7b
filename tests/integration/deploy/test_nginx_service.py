"""``deploy nginx --apply``: samovar's own server behind a real NGINX, replaced under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from behind_nginx import Deployed, check_death, check_index, check_reload
from broken import broken_of
from cli import copy_example, samovar
from engines.processes import free_port, need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("behind")


@pytest.fixture(scope="module")
def digest(place: Path) -> str:
    """Pack the example into the home there."""
    project, home = copy_example(place / "web"), place / "home"
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=home)
    return str(samovar("pack", "--json", cwd=project, SAMOVAR_HOME=home).json["digest"])


@pytest.fixture(scope="module")
def deployed(place: Path, digest: str) -> Iterator[Deployed]:
    need("nginx", "apt install nginx")
    service = Deployed(
        way=("nginx",), folder=place / "service", home=place / "home", port=free_port()
    )
    assert service.apply(digest).json["endpoints"] == [service.url]
    yield service
    service.control("stop")


def test_the_server_answers_through_nginx(deployed: Deployed) -> None:
    check_index(deployed)
    ready = httpx.get(f"{deployed.url}/v2/health/ready", trust_env=False)
    assert ready.status_code == 200


def test_a_reload_under_load_loses_no_request(deployed: Deployed) -> None:
    check_reload(deployed, of_workers=False)


def test_a_bundle_whose_receipt_fails_is_not_put_in_place(deployed: Deployed, digest: str) -> None:
    broken = broken_of(deployed.home, digest, deployed.folder.with_name("staged"))
    assert deployed.apply(broken, code=1).error["code"] == "different"
    assert deployed.ask().json() == {"prediction": 1}
    archive = f"{digest.replace(':', '-')}.tar"
    assert [path.name for path in deployed.folder.glob("sha256-*.tar")] == [archive]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_somebody_elses_is_left_alone(
    deployed: Deployed, digest: str, tmp_path: Path, what: str
) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    target = tmp_path if what == "folder" else thesis
    assert deployed.apply(digest, code=2, folder=target).error["hint"]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert thesis.read_text() == "years of work"


def test_the_death_of_the_server_ends_the_service(deployed: Deployed) -> None:
    check_death(deployed)
