"""Downloads: by digest, once, in parallel, through faults; nothing wrong is kept."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from samovar.errors import Damaged, Offline, Unavailable
from samovar.image import download
from samovar.image.download import Download, fetch_all, get_bytes

QUIET = lambda _text: None  # noqa: E731 - progress that nobody reads
DATA = bytes(range(256)) * 4096


class _Faulty(BaseHTTPRequestHandler):
    """Answers a path by its first part: how often it fails, and in which way."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[Counter[str]] = Counter()
    seen: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        self.seen[self.path] = self.headers.get("Authorization", "")
        kind = self.path.split("/")[1]
        if kind == "busy" and self.asked[self.path] < 3:
            self.send_response(503)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif kind == "absent":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            cut = kind == "cut" and self.asked[self.path] < 2
            self.wfile.write(DATA[:1000] if cut else DATA)
            self.close_connection = cut

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """Does not mind clients that hang up."""

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that has read too much goes away."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "_WAIT_S", 0.01)
    _Faulty.asked.clear()
    with _Server(("127.0.0.1", 0), _Faulty) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def wanted(*urls: str, data: bytes = DATA, size: int | None = len(DATA)) -> Download:
    digest = hashlib.sha256(data).hexdigest()
    return Download(name="demo.whl", urls=urls, sha256=digest, size_bytes=size)


def test_a_file_comes_once_and_stands_under_its_digest(tmp_path, server):
    file = wanted(f"{server}/ok/a")
    (path,) = fetch_all(tmp_path, [file], what="wheels", progress=QUIET)
    assert path.name == file.sha256
    assert path.read_bytes() == DATA
    fetch_all(tmp_path, [file], what="wheels", progress=QUIET)
    assert _Faulty.asked["/ok/a"] == 1


@pytest.mark.parametrize(("kind", "times"), [("busy", 3), ("cut", 2)])
def test_what_breaks_is_tried_again(tmp_path, server, kind, times):
    (path,) = fetch_all(tmp_path, [wanted(f"{server}/{kind}/a")], what="wheels", progress=QUIET)
    assert path.read_bytes() == DATA
    assert _Faulty.asked[f"/{kind}/a"] == times


def test_the_next_place_is_asked_where_one_lacks_it(tmp_path, server):
    file = wanted(f"{server}/absent/a", f"{server}/ok/a")
    (path,) = fetch_all(tmp_path, [file], what="wheels", progress=QUIET)
    assert path.read_bytes() == DATA


def test_where_nobody_has_it_the_place_is_named(tmp_path, server):
    with pytest.raises(Unavailable, match=r"demo\.whl") as caught:
        fetch_all(tmp_path, [wanted(f"{server}/absent/a")], what="wheels", progress=QUIET)
    assert "404" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [None, len(DATA), 10])
def test_other_bytes_are_not_kept(tmp_path, server, size):
    file = wanted(f"{server}/ok/a", data=b"other", size=size)
    with pytest.raises(Damaged):
        fetch_all(tmp_path, [file], what="wheels", progress=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_offline_opens_no_connection(tmp_path, server, monkeypatch):
    monkeypatch.setenv("SAMOVAR_OFFLINE", "1")
    with pytest.raises(Offline, match=r"demo\.whl"):
        fetch_all(tmp_path, [wanted(f"{server}/ok/a")], what="wheels", progress=QUIET)
    with pytest.raises(Offline):
        get_bytes([f"{server}/ok/a"], "list", limit=10)
    assert _Faulty.asked == Counter()


def test_credentials_of_the_index_go_to_its_own_host_only(tmp_path, server, monkeypatch):
    host = server.removeprefix("http://")
    monkeypatch.setenv("UV_INDEX_URL", f"http://ada:secret@{host}/simple")
    fetch_all(tmp_path, [wanted(f"{server}/ok/own")], what="wheels", progress=QUIET)
    assert _Faulty.seen["/ok/own"].startswith("Basic ")
    other = server.replace("127.0.0.1", "localhost")
    (tmp_path / wanted().sha256).unlink()
    fetch_all(tmp_path, [wanted(f"{other}/ok/other")], what="wheels", progress=QUIET)
    assert _Faulty.seen["/ok/other"] == ""


def test_a_list_that_is_too_long_is_refused(server):
    assert get_bytes([f"{server}/ok/a"], "list", limit=len(DATA)) == DATA
    with pytest.raises(Damaged, match="larger"):
        get_bytes([f"{server}/ok/a"], "list", limit=1000)
