"""The engines themselves: each starts, answers, and is what the other tests take it for."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import need, wait_until

if TYPE_CHECKING:
    from engines.browser import Chromium
    from engines.docker import DockerEngine
    from engines.registry import Registry
    from engines.ssh import SshHost
    from engines.tools import MlflowServer
    from engines.web import StartNginx, StartUwsgi

pytestmark = pytest.mark.engine

APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return ["привет".encode()]
"""


def _get(url: str) -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.get(url)


def test_registry_answers_the_distribution_api(registry: Registry) -> None:
    assert _get(f"{registry.url}/v2/").json() == {}


def test_registry_with_users_refuses_strangers(registry_htpasswd: Registry) -> None:
    url = f"{registry_htpasswd.url}/v2/"
    assert _get(url).status_code == 401
    user, password = registry_htpasswd.user, registry_htpasswd.password
    assert user is not None
    assert password is not None
    with httpx.Client(trust_env=False, auth=(user, password)) as client:
        assert client.get(url).status_code == 200


def test_engine_runs_containers_that_publish_ports(
    docker_engine: DockerEngine, tmp_path: Path, port: int
) -> None:
    busybox = Path(need("busybox", "apt install busybox-static"))
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        page = tarfile.TarInfo("www/index.html")
        page.size = 5
        archive.addfile(page, io.BytesIO(b"hello"))
    (tmp_path / "image.tar").write_bytes(image.getvalue())
    docker_engine.docker("import", tmp_path / "image.tar", "samovar-test/busybox:1")
    command = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
    published = ("-p", f"127.0.0.1:{port}:8080", "--memory", "64m", "--cpus", "0.5")
    container = docker_engine.docker(
        "run", "-d", "--rm", *published, "samovar-test/busybox:1", *command
    ).stdout.strip()
    try:
        wait_until(lambda: _answers_hello(port))
        limits = docker_engine.docker(
            "inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", container
        )
        assert limits.stdout.split() == ["67108864", "500000000"]
    finally:
        docker_engine.docker("rm", "-f", container)


def _answers_hello(port: int) -> bool:
    try:
        return _get(f"http://127.0.0.1:{port}/").text == "hello"
    except httpx.TransportError:
        return False


def test_nginx_serves_what_the_test_wrote(nginx: StartNginx, port: int) -> None:
    nginx(f'server {{ listen 127.0.0.1:{port}; return 200 "constant"; }}', port=port)
    assert _get(f"http://127.0.0.1:{port}/").text == "constant"


def test_uwsgi_serves_an_application(uwsgi: StartUwsgi, port: int, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    uwsgi(
        ["--plugin", "python3", "--http-socket", f"127.0.0.1:{port}", "--module", "app"],
        port=port,
        cwd=tmp_path,
    )
    assert _get(f"http://127.0.0.1:{port}/").text == "привет"


def test_sshd_lets_the_key_in(sshd: SshHost) -> None:
    done = subprocess.run(
        ["ssh", sshd.name, "echo", "inside"],
        env=sshd.env,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout == "inside\n"


def test_chromium_runs_a_page(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p id=p></p><script>p.textContent = 6 * 7</script>")
    assert '<p id="p">42</p>' in chromium.dom(page.as_uri())
    picture = chromium.screenshot(page.as_uri(), tmp_path / "page.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_mlflow_tracks(mlflow_server: MlflowServer) -> None:
    assert _get(f"{mlflow_server.url}/health").text == "OK"
