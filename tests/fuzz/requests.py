"""Readers of what comes over HTTP."""

from __future__ import annotations

import base64
import json
import lzma
from functools import cache
from typing import TYPE_CHECKING, Any

from fuzz.models import DATA, SEED_BYTES
from samovar.core.signature import Column, Signature
from samovar.errors import SamovarError
from samovar.runtime.codec import Codec
from samovar.runtime.http.head import Routes
from samovar.runtime.http.parsing import Budget, RequestReader
from samovar.runtime.protocols.invocations import InvocationsProtocol
from samovar.runtime.protocols.plain import PlainProtocol
from samovar.runtime.protocols.v2 import InferProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Sent:
    """What a connection hands to a protocol."""

    def __init__(self, body: bytes, headers: dict[bytes, bytes], kind: bytes) -> None:
        self.body, self.headers, self.content_type = body, headers, kind
        self.rows: Any = None
        self.encode: Any = None
        self.parameters: Any = None
        self.head, self.note = self, None


def submit(codec: Codec) -> Callable[[Any], object]:
    return lambda exchange: codec.assemble(exchange.rows)


@cache
def protocols() -> list[Any]:
    kinds = ("float64", "int64", "string", "bool")
    mixed = tuple(
        Column(name=f"c{at}", dtype=kind, nullable=kind == "float64")
        for at, kind in enumerate(kinds)
    )
    plain = tuple(Column(name=f"c{at}", dtype="float32") for at in range(2))
    made: list[Any] = []
    for container, columns in (("frame", mixed), ("array", plain)):
        codec = Codec(Signature(container=container, inputs=columns, outputs=()))
        made += [PlainProtocol(codec, submit(codec)), InvocationsProtocol(codec, submit(codec))]
        made.append(InferProtocol("m", "1", codec, submit(codec)))
    return made


def read_body(content: bytes) -> None:
    for length in (None, content[:1]):
        headers = (
            {} if length is None else {b"inference-header-content-length": b"%d" % sum(length)}
        )
        for kind in (b"application/json", b"text/csv"):
            for protocol in protocols():
                try:
                    protocol.handle(Sent(content, headers, kind))
                except SamovarError as refusal:
                    str(refusal).encode()


def read_request(content: bytes) -> None:
    bodies: list[bytes] = []
    reader = RequestReader(
        Routes({}, {}), 1000, Budget(10_000),
        on_head=lambda _: None, on_request=lambda _, body: bodies.append(body),
    )  # fmt: skip
    step = 1 + (content[0] if content else 0)
    for at in range(1, len(content), step):
        reader.feed(content[at : at + step])


def bodies() -> Iterator[bytes]:
    yield from (
        b"[1,2,true,null]",
        b'{"c0":1,"c1":2,"c2":"a","c3":true}',
        b"c0,c1\n1,2\n",
        b"[[1,2]]",
    )
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
    yield json.dumps({"inputs": [tensor]}).encode()
    sized = {**tensor, "parameters": {"binary_data_size": 8}}
    del sized["data"]
    yield json.dumps(
        {"inputs": [sized], "parameters": {"binary_data_output": True}}
    ).encode() + bytes(8)
    yield json.dumps({"dataframe_split": {"columns": ["c0", "c1"], "data": [[1, 2]]}}).encode()
    yield json.dumps({"dataframe_records": [{"c0": 1}], "params": {}}).encode()
    yield json.dumps({"instances": [{"c0": 1}]}).encode()


def requests() -> Iterator[bytes]:
    packed = (DATA / "http" / "requests.jsonl.xz").read_bytes()
    for line in lzma.decompress(packed).splitlines():
        raw = json.loads(line).get("raw_b64")
        if raw and len(raw) <= SEED_BYTES:
            yield b"\x20" + base64.b64decode(raw)
    yield b"\x07POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n[1]"
