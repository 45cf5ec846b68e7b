"""A registry in this process that follows the distribution specification, and misbehaves on demand.

It passes the same contract test as Debian's docker-registry (tests/unit/registry/test_contract.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers)/(?P<rest>.*)")

Fault = Callable[["Handler"], bool]
"""Looks at a request before it is answered; True where it answered itself."""


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int = 0


@dataclass
class FakeRegistry:
    """What is kept, how it behaves, and what it was asked."""

    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    auth: str = "none"  # none, basic, bearer
    challenge: str | None = None
    users: dict[str, str] = field(default_factory=lambda: {"ada": "s3cret word"})
    identity_token: str | None = None
    token_life_s: int = 300
    has_referrers: bool = True
    mounts: bool = True
    absolute_locations: bool = False
    location_base: str = ""
    page: int = 100
    url: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def asked(self, method: str, part: str = "") -> list[Seen]:
        """Give the requests of one method whose path contains that part."""
        return [one for one in self.seen if one.method == method and part in one.path]

    def once(self, method: str, part: str, act: Callable[[Handler], None], times: int = 1) -> None:
        """Let the next requests of that kind go wrong."""
        left = [times]

        def fault(handler: Handler) -> bool:
            if handler.command != method or part not in handler.path or left[0] <= 0:
                return False
            left[0] -= 1
            act(handler)
            return True

        self.faults.append(fault)

    def put_blob(self, name: str, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[name, digest] = data
        return digest

    def put_manifest(self, name: str, tag: str, data: bytes, media_type: str) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.manifests[name, digest] = self.manifests[name, tag] = (media_type, data)
        return digest


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body in one packet: two small ones wait for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    registry: FakeRegistry

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Forgive clients that go away."""
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_GET

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.has_read = False
        seen = Seen(self.command, parts.path, parts.query, dict(self.headers.items()))
        with self.registry.lock:
            self.registry.seen.append(seen)
        for fault in self.registry.faults:
            if fault(self):
                return
        self.query = parse_qs(parts.query)
        if parts.path == "/token":
            self._token()
        elif self._allowed(parts.path):
            self._route(parts.path)

    def body(self) -> bytes:
        """Read the request's body; once."""
        self.has_read = True
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            data = bytearray()
            while size := int(self.rfile.readline().strip(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return bytes(data)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        fields.setdefault("Content-Length", str(len(body)))
        for key, value in fields.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str = "", **headers: str) -> None:
        if not self.has_read:
            self.body()
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, Content_Type="application/json", **headers)

    def cut(self) -> None:
        """Hang up at once, whatever the client still sends."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    # Who may

    def _allowed(self, path: str) -> bool:
        registry, sent = self.registry, self.headers.get("Authorization", "")
        if registry.auth == "none":
            return True
        if registry.auth == "basic":
            if self._is_user(sent):
                return True
            self.refuse(401, "UNAUTHORIZED", WWW_Authenticate='BASIC realm="Fake, Inc."')
            return False
        granted = registry.tokens.get(sent.removeprefix("Bearer "), "")
        found = _PATH.fullmatch(path)
        name = found["name"] if found else ""
        action = "pull" if self.command in {"GET", "HEAD"} else "push"
        if any(
            scope.rpartition(":")[0] == f"repository:{name}"
            and action in scope.rpartition(":")[2].split(",")
            for scope in granted.split()
        ):
            return True
        challenge = registry.challenge or (
            f'Bearer realm="{registry.url}/token",service="fake",'
            f'scope="repository:{name}:{action}",error="invalid_token"'
        )
        self.refuse(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=challenge)
        return False

    def _is_user(self, header: str) -> bool:
        try:
            pair = base64.b64decode(header.removeprefix("Basic ")).decode()
        except ValueError:
            return False
        user, _, password = pair.partition(":")
        return self.registry.users.get(user) == password

    def _token(self) -> None:
        registry = self.registry
        if self.command == "POST":
            form = parse_qs(self.body().decode())
            good = form.get("refresh_token", [""])[0] == registry.identity_token
            scopes = form.get("scope", [""])[0]
        else:
            good = self._is_user(self.headers.get("Authorization", ""))
            scopes = " ".join(self.query.get("scope", []))
        if not good:
            self.refuse(401, "UNAUTHORIZED", "incorrect username or password")
            return
        token = uuid.uuid4().hex
        registry.tokens[token] = scopes
        document = {"token": token, "expires_in": registry.token_life_s}
        self.answer(200, json.dumps(document).encode(), Content_Type="application/json")

    # What for

    def _route(self, path: str) -> None:
        if path == "/v2/":
            self.answer(200, b"{}", Content_Type="application/json")
            return
        found = _PATH.fullmatch(path)
        if found is None:
            self.refuse(404, "NOT_FOUND")
            return
        name, kind, rest = found["name"], found["kind"], found["rest"]
        if kind == "blobs" and rest.startswith("uploads/"):
            with self.registry.lock:
                self._upload(name, rest.removeprefix("uploads/"))
        elif kind == "blobs":
            self._blob(name, rest)
        elif kind == "manifests":
            self._manifest(name, rest)
        elif self.registry.has_referrers:
            self._referrers(name, rest)
        else:
            self.answer(404, b"404 page not found\n", Content_Type="text/plain")

    def _blob(self, name: str, digest: str) -> None:
        data = self.registry.blobs.get((name, digest))
        if data is None:
            self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
            return
        headers = {"Docker_Content_Digest": digest, "Content_Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None:
            self.answer(200, data, **headers, **self._length(data))
            return
        start = int(asked[1])
        said = f"bytes {start}-{len(data) - 1}/{len(data)}"
        rest = data[start:]
        self.answer(206, rest, Content_Range=said, **headers, **self._length(rest))

    def _length(self, data: bytes) -> dict[str, str]:
        return {"Content_Length": str(len(data))}

    def _manifest(self, name: str, tag: str) -> None:
        registry = self.registry
        if self.command == "PUT":
            data = self.body()
            media_type = self.headers["Content-Type"]
            document = json.loads(data)
            missing = [
                child["digest"]
                for child in [document.get("config"), *document.get("layers", [])]
                if child and (name, child["digest"]) not in registry.blobs
            ] + [
                child["digest"]
                for child in document.get("manifests", [])
                if (name, child["digest"]) not in registry.manifests
            ]
            if missing:
                self.refuse(404, "MANIFEST_BLOB_UNKNOWN", f"blob unknown: {missing[0]}")
                return
            with registry.lock:
                digest = registry.put_manifest(name, tag, data, media_type)
            headers = {"Docker_Content_Digest": digest, "Location": f"/v2/{name}/manifests/{tag}"}
            if "subject" in document and registry.has_referrers:
                headers["OCI_Subject"] = document["subject"]["digest"]
            self.answer(201, **headers)
            return
        found = registry.manifests.get((name, tag))
        if found is None:
            self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
            return
        media_type, data = found
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.answer(200, data, Content_Type=media_type, Docker_Content_Digest=digest)

    def _referrers(self, name: str, subject: str) -> None:
        listed = []
        for (repository, key), (media_type, data) in self.registry.manifests.items():
            document = json.loads(data)
            if repository != name or not key.startswith("sha256:"):
                continue
            if (document.get("subject") or {}).get("digest") == subject:
                artifact_type = document.get("artifactType") or document["config"]["mediaType"]
                listed.append(
                    {
                        "mediaType": media_type,
                        "digest": key,
                        "size": len(data),
                        "artifactType": artifact_type,
                    }
                )
        start = int(self.query.get("after", ["0"])[0])
        shown = listed[start : start + self.registry.page]
        headers = {"Content_Type": INDEX}
        if start + self.registry.page < len(listed):
            following = f"/v2/{name}/referrers/{subject}?after={start + self.registry.page}"
            headers["Link"] = f'<{following}>; rel="next"'
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": shown}).encode()
        self.answer(200, body, **headers)

    def _upload(self, name: str, session: str) -> None:
        registry = self.registry
        if self.command == "POST":
            self.body()
            digest, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
            if digest and registry.mounts and (source, digest) in registry.blobs:
                registry.blobs[name, digest] = registry.blobs[source, digest]
                self.answer(201, Location=f"/v2/{name}/blobs/{digest}")
                return
            session = uuid.uuid4().hex
            registry.uploads[session] = bytearray()
        elif session not in registry.uploads:
            self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
            return
        content = registry.uploads[session]
        place = f"{registry.location_base}/v2/{name}/blobs/uploads/{session}?_state=a%3Db"
        headers = {"Location": place, "Range": f"0-{max(len(content) - 1, 0)}"}
        if self.command == "POST":
            self.answer(202, **headers)
        elif self.command == "GET":
            self.answer(204, **headers)
        elif self.command == "PATCH":
            said = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
            data = self.body()
            if said is not None and int(said[1]) != len(content):
                self.answer(416, **headers)
                return
            content += data
            headers["Range"] = f"0-{len(content) - 1}"
            self.answer(202, **headers)
        else:
            content += self.body()
            digest = self.query["digest"][0]
            del registry.uploads[session]
            if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
                self.refuse(400, "DIGEST_INVALID", "provided digest did not match")
                return
            registry.blobs[name, digest] = bytes(content)
            self.answer(201, Docker_Content_Digest=digest, Location=f"/v2/{name}/blobs/{digest}")


@contextmanager
def serving(registry: FakeRegistry, *, certificate: Path | None = None) -> Iterator[FakeRegistry]:
    """Serve a fake registry on loopback.

    Parameters
    ----------
    certificate : Path, optional
        PEM file with a key and a certificate; then it speaks TLS.
    """
    handler = type("BoundHandler", (Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # Shaking hands in the worker's thread: a client that speaks http must not end the server.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    registry.url = registry.url or f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def cut_after(size: int) -> Callable[[Handler], None]:
    """Declare the whole blob, send its beginning, and hang up."""

    def act(handler: Handler) -> None:
        found = _PATH.fullmatch(urlsplit(handler.path).path)
        assert found is not None
        data = handler.registry.blobs[found["name"], found["rest"]]
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        handler.wfile.write(data[start : start + size])
        handler.wfile.flush()
        handler.close_connection = True

    return act


def hang_up_while_uploading(size: int) -> Callable[[Handler], None]:
    """Take a part of an upload's body into its session, then hang up."""

    def act(handler: Handler) -> None:
        session = urlsplit(handler.path).path.rpartition("/")[2]
        handler.registry.uploads[session] += handler.rfile.read(size)
        handler.cut()

    return act


def silent(seconds: float) -> Callable[[Handler], None]:
    """Say nothing for a while, then hang up."""

    def act(handler: Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return act
