"""Replay recorded conversations with registries that no test can reach, behind a proxy and TLS.

A conversation (tests/data/registry/NAME.json) is a list of requests and answers; a request that is
not in it fails the test, and so does one that was not sent. ``{manifest}``, ``{model}``, ... stand
for the digests of what is pushed or pulled; ``body`` names what an answer carries.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONVERSATIONS = Path(__file__).parent / "data" / "registry"


@dataclass
class Conversation:
    """What was and will be said."""

    steps: list[dict[str, Any]]
    contents: Mapping[str, bytes]
    lock: threading.Lock = field(default_factory=threading.Lock)
    unexpected: list[str] = field(default_factory=list)

    @classmethod
    def read(
        cls, name: str, words: Mapping[str, str], contents: Mapping[str, bytes]
    ) -> Conversation:
        text = (CONVERSATIONS / f"{name}.json").read_text()
        for key, value in words.items():
            text = text.replace("{" + key + "}", value)
        return cls(json.loads(text)["steps"], contents)

    def next(self, host: str, method: str, path: str) -> dict[str, Any] | None:
        """Take the first step that waits for this request."""
        with self.lock:
            for step in self.steps:
                if (step["host"], step["method"], step["path"]) == (host, method, path):
                    self.steps.remove(step)
                    return step
            self.unexpected.append(f"{method} {host}{path}")
            return None

    def assert_over(self) -> None:
        left = [f"{step['method']} {step['host']}{step['path']}" for step in self.steps]
        assert (self.unexpected, left) == ([], [])


class _Replayer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    conversation: Conversation

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        step = self.conversation.next(self.headers["Host"], self.command, self.path)
        if step is None:
            self._answer(418, {}, b"")
            return
        for key, value in step.get("sends", {}).items():
            if self.headers.get(key) != value:
                self.conversation.unexpected.append(
                    f"{self.command} {self.path} with {key}: {self.headers.get(key)}"
                )
        sent = step.get("sends_body")
        if sent is not None and body != self.conversation.contents[sent]:
            self.conversation.unexpected.append(f"{self.command} {self.path} with another body")
        answer = step["answers"]
        data = answer.get("text", "").encode()
        if "body" in answer:
            data = self.conversation.contents[answer["body"]]
        self._answer(answer["status"], answer.get("headers", {}), data)

    do_HEAD = do_POST = do_PATCH = do_PUT = do_GET

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    certificate: Path
    server: Path


def make_authority(openssl: str, folder: Path, *hosts: str) -> Authority:
    """Make an authority and a server's key and certificate for these hosts."""
    names = ",".join(f"IP:{h}" if h[0].isdigit() else f"DNS:{h}" for h in hosts)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    (folder / "ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    for command in (
        ["req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority",
         "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        ["req", *curve[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=test server"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-days", "2", "-extfile", "ext", "-out", "server.crt"],
    ):  # fmt: skip
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True)
    both = (folder / "server.key").read_text() + (folder / "server.crt").read_text()
    (folder / "server.pem").write_text(both)
    return Authority(certificate=folder / "ca.pem", server=folder / "server.pem")


@contextmanager
def replaying(conversation: Conversation, authority: Authority) -> Iterator[int]:
    """Serve a conversation over TLS and give the port."""
    handler = type("Bound", (_Replayer,), {"conversation": conversation})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    with _running(server):
        yield server.server_address[1]


class _Tunnel(StreamRequestHandler):
    """Answers CONNECT, whatever the host, by one server on loopback."""

    port: int
    asked: list[tuple[str, str]]

    def handle(self) -> None:
        request = self.rfile.readline().decode().split()
        authorization = ""
        while (line := self.rfile.readline().strip()) != b"":
            key, _, value = line.decode().partition(":")
            if key.lower() == "proxy-authorization":
                authorization = value.strip()
        self.asked.append((request[1], authorization))
        with socket.create_connection(("127.0.0.1", self.port)) as other:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(other, self.connection), daemon=True)
            back.start()
            _pump(self.connection, other)
            back.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxying(port: int) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Run a proxy that leads every host to one port; give its own, and what it was asked."""
    asked: list[tuple[str, str]] = []
    handler = type("BoundTunnel", (_Tunnel,), {"port": port, "asked": asked})
    server = ThreadingTCPServer(("127.0.0.1", 0), handler)
    with _running(server):
        yield server.server_address[1], asked


@contextmanager
def _running(server: ThreadingTCPServer) -> Iterator[None]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
