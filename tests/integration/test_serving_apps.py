"""The project's own WSGI and ASGI applications, behind the same connections."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from runtime_tree import command, make_bundle, serving

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["serving_fixtures"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to end by.")

WSGI = """
import time
from pathlib import Path

HERE = Path("note.txt").read_text()
print("imported")


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.3)
    if path == "/boom":
        raise RuntimeError("the application's own fault")
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one ", b"", b"two"])
    if path == "/split":
        start_response("200 OK", [("X-A", "a\\r\\nX-B: b")])
        return [b"x"]
    if path == "/half":
        def parts():
            yield b"half"
            raise RuntimeError("in the middle")
        start_response("200 OK", [("Content-Length", "8")])
        return parts()
    body = environ["wsgi.input"].read()
    text = "|".join([environ["REQUEST_METHOD"], path, environ["QUERY_STRING"],
                     environ.get("CONTENT_TYPE", ""), environ.get("HTTP_X_A", ""), HERE])
    data = text.encode("utf-8") + b"|" + body
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "yes"),
                              ("Content-Length", str(len(data)))])
    return [data]


def make():
    return app


not_an_application = 7
"""

ASGI = """
import asyncio
from pathlib import Path


class App:
    def __init__(self):
        self.started = False

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["x"] = "ready"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            Path("stopped.txt").write_text("yes")
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/boom":
            raise RuntimeError("the application's own fault")
        if scope["path"] == "/slow":
            await asyncio.sleep(0.3)
        message = await receive()
        await send({"type": "http.response.start", "status": 201,
                    "headers": [(b"content-type", b"text/plain")]})
        if scope["path"] == "/stream":
            for part in (b"one ", b"two"):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
            return
        text = "|".join([scope["method"], scope["path"], scope["query_string"].decode(),
                         scope["state"]["x"]])
        await send({"type": "http.response.body", "body": text.encode() + b"|" + message["body"]})


app = App()


async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(
        tmp_path_factory.mktemp("apps") / "bundle",
        None,
        files={"wsgi_app.py": WSGI, "asgi_app.py": ASGI, "note.txt": "ключ"},
    )


def test_a_wsgi_application_gets_the_whole_request(runtime: Path, bundle: Path) -> None:
    with serving(runtime, bundle, app="wsgi_app:app", workers=2) as service:
        answer = service.client.post(
            f"{service.url}/%D0%B0?b=1", content=b"body",
            headers={"Content-Type": "text/x", "X-A": "1", "X_A": "2"},
        )  # fmt: skip
        assert (answer.status_code, answer.headers["X-Own"]) == (200, "yes")
        assert (
            answer.content
            == b"POST|"
            + "/а".encode().decode("latin-1").encode("utf-8")
            + "|b=1|text/x|1|ключ|body".encode()
        )
        assert service.client.head(f"{service.url}/").text == ""
        assert service.client.get(f"{service.url}/empty").status_code == 204
        stream = service.client.get(f"{service.url}/stream")
        assert (stream.text, stream.headers["Transfer-Encoding"]) == ("one two", "chunked")
        for path in ("/boom", "/split"):
            answer = service.client.get(f"{service.url}{path}")
            assert answer.status_code == 500
            assert answer.json()["error"]["code"] == "app_failed"
        assert service.client.get(f"{service.url}/v2/health/ready").json() == {"ready": True}
        assert service.client.get(f"{service.url}/predict").status_code == 200
        assert service.end() == 0
        assert "the application's own fault" in service.log.read_text()


def test_a_reply_that_breaks_off_is_cut_off(runtime: Path, bundle: Path) -> None:
    with serving(runtime, bundle, app="wsgi_app:make()") as service:
        with socket.create_connection(("127.0.0.1", service.port), 10) as client:
            client.sendall(b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            try:
                while part := client.recv(4096):
                    data += part
            except ConnectionResetError:
                pass
        assert b"Content-Length: 8" in data
        assert data.endswith(b"half")


def test_an_asgi_application_with_its_lifespan(runtime: Path, bundle: Path) -> None:
    stopped = bundle / "project" / "stopped.txt"
    stopped.unlink(missing_ok=True)
    with serving(runtime, bundle, app="asgi_app:app") as service:
        answer = service.client.post(f"{service.url}/a%20b?c=d", content=b"body")
        assert (answer.status_code, answer.text) == (201, "POST|/a b|c=d|ready|body")
        assert service.client.get(f"{service.url}/stream").text == "one two"
        assert service.client.get(f"{service.url}/boom").status_code == 500
        assert service.end() == 0
    assert stopped.read_text() == "yes"


@pytest.mark.parametrize("app", ["wsgi_app:app", "asgi_app:app"])
def test_replies_keep_their_order_on_one_connection(runtime: Path, bundle: Path, app: str) -> None:
    with (
        serving(runtime, bundle, app=app) as service,
        socket.create_connection(("127.0.0.1", service.port), 10) as client,
    ):
        paths = (b"/slow", b"/stream", b"/last")
        client.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths))
        data = b""
        while b"/last" not in data:
            data += client.recv(4096)
        assert data.index(b"/slow") < data.index(b"one ") < data.index(b"/last")


@pytest.mark.parametrize("app", ["wsgi_app:app", "asgi_app:app"])
def test_applications_drain_and_are_bounded(runtime: Path, bundle: Path, app: str) -> None:
    with (
        serving(runtime, bundle, app=app, max_body_bytes=100) as service,
        ThreadPoolExecutor(8) as pool,
    ):
        assert service.client.post(service.url, content=b"x" * 101).status_code == 413
        ask = f"{service.url}/slow"
        futures = [pool.submit(service.client.get, ask) for _ in range(8)]
        time.sleep(0.15)
        service.process.send_signal(signal.SIGTERM)
        assert all(future.result().status_code in {200, 201} for future in futures)
        assert service.process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("app", "code", "words"),
    [
        ("no_such_module:app", 3, "ModuleNotFoundError"),
        ("wsgi_app:nothing", 2, "has no 'nothing'"),
        ("wsgi_app:not_an_application", 2, "cannot be called"),
        ("asgi_app:failing", 3, "no database"),
    ],
)
def test_an_application_that_cannot_be_served_is_told(
    runtime: Path, bundle: Path, app: str, code: int, words: str
) -> None:
    job: dict[str, Any] = {
        "verb": "serve", "bundle": str(bundle), "port": 0, "workers": 1, "ready": "json",
        "app": app,
    }  # fmt: skip
    path = bundle.parent / "wrong.json"
    path.write_text(json.dumps(job))
    done = subprocess.run(
        command(runtime, path), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert words in json.loads(done.stdout)["error"]["message"]
