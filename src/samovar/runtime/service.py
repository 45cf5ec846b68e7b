"""A model as a service: its paths, its batches, and what it says of itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from samovar.errors import SamovarError, Unavailable
from samovar.runtime import VERSION
from samovar.runtime.aside.aside import AsideFile
from samovar.runtime.batcher import Batcher
from samovar.runtime.http.head import Routes
from samovar.runtime.http.replies import TEXT
from samovar.runtime.http_errors import OK
from samovar.runtime.metrics import endpoint
from samovar.runtime.protocols import v2
from samovar.runtime.protocols.invocations import InvocationsProtocol
from samovar.runtime.protocols.pages import Pages
from samovar.runtime.protocols.plain import PLAIN, PlainProtocol, encode_singles
from samovar.runtime.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from samovar.runtime.grpc.front import GrpcFront
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.limits import Limits
    from samovar.runtime.loaded import Loaded
    from samovar.runtime.metrics import Metrics
    from samovar.runtime.outputs import Answer

    Handler = Callable[[Exchange], None]

_PREDICT = endpoint("/predict")
_PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


class ModelService:
    """One worker's service of one model.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    loaded : Loaded
        The model and what the bundle says of it.
    limits : Limits
        Bounds.
    metrics : Metrics
        The worker's counts.
    executor : Executor, optional
        A thread for dear models.
    access_log : bool
        Write a JSON line for each reply.
    grpc_address : str, optional
        Answer over gRPC there too, ``127.0.0.1:8001``.
    aside : str, optional
        The file that says who stands aside.
    """

    def __init__(
        self,
        loop: Any,
        loaded: Loaded,
        limits: Limits,
        metrics: Metrics,
        *,
        executor: Executor | None,
        access_log: bool,
        grpc_address: str | None = None,
        aside: str | None = None,
    ) -> None:
        self._loaded = loaded
        self._metrics = metrics
        self._now = loop.time
        self._access_log = access_log
        self._batcher = Batcher(
            loop,
            loaded.predictor,
            limits,
            metrics,
            deliver=self._deliver,
            merges=loaded.receipt.batching == "identical",
            executor=executor,
        )
        submit = self._batcher.submit
        codec = loaded.predictor.codec
        self._plain = PlainProtocol(codec, submit)
        self._invocations = InvocationsProtocol(codec, submit)
        self._infer = v2.InferProtocol(loaded.name, loaded.version, codec, submit)
        self._pages = Pages(loaded)
        table, endpoints = self._table()
        self.server = Server(loop, Routes(table, endpoints), limits, metrics, access_log=access_log)
        if aside is not None:
            self.server.watch = AsideFile(
                self.server, aside, loaded.receipt.policy.relative_difference
            ).look
            self.server.watch()
        if grpc_address is not None:
            self.server.beside = self._grpc_front(loop, limits, grpc_address)

    def _grpc_front(self, loop: Any, limits: Limits, address: str) -> GrpcFront:
        from samovar.runtime.grpc.front import GrpcFront

        front = GrpcFront(
            loop,
            self._loaded,
            limits,
            self._metrics,
            submit=self._batcher.submit,
            is_ready=lambda: self.is_ready,
        )
        front.start(address)
        return front

    @property
    def is_ready(self) -> bool:
        """Whether a prediction would be answered now."""
        return not self.server.is_draining and not self._batcher.is_full

    def _table(self) -> tuple[dict[bytes, dict[bytes, Handler]], dict[bytes, int]]:
        get: dict[str, tuple[Handler, str]] = {
            "/": (self._message, "/"),
            "/ping": (self._ready, "/ping"),
            "/health": (self._ready, "/ping"),
            "/version": (self._version, "/version"),
            "/metrics": (self._metrics_text, "/metrics"),
            "/openapi.json": (self._pages.openapi, "/openapi.json"),
            "/docs": (self._pages.docs, "/docs"),
            "/v2": (self._server_metadata, "/v2"),
            "/v2/health/live": (self._live, "/v2/health"),
            "/v2/health/ready": (self._ready, "/v2/health"),
        }
        post: dict[str, tuple[Handler, str]] = {
            "/predict": (self._plain.handle, "/predict"),
            "/invocations": (self._invocations.handle, "/invocations"),
        }
        for base in self._model_paths():
            get[base] = (self._model_metadata, "/v2/models")
            get[f"{base}/ready"] = (self._model_ready, "/v2/health")
            post[f"{base}/infer"] = (self._infer.handle, "/v2/infer")
        table: dict[bytes, dict[bytes, Handler]] = {}
        endpoints: dict[bytes, int] = {}
        for method, paths in ((b"GET", get), (b"POST", post)):
            for path, (handler, place) in paths.items():
                table.setdefault(path.encode(), {})[method] = handler
                endpoints[path.encode()] = endpoint(place)
        return table, endpoints

    def _model_paths(self) -> list[str]:
        names = {self._loaded.name, self._loaded.name.replace("/", "%2F")}
        version = self._loaded.version
        return [
            f"/v2/models/{name}{suffix}"
            for name in sorted(names)
            for suffix in ("", f"/versions/{version}")
        ]

    def _message(self, exchange: Exchange) -> None:
        exchange.reply(OK, self._loaded.message.encode(), content_type=TEXT)

    def _version(self, exchange: Exchange) -> None:
        exchange.reply(OK, VERSION.encode(), content_type=TEXT)

    def _live(self, exchange: Exchange) -> None:
        exchange.reply(OK, b'{"live":true}')

    def _ready(self, exchange: Exchange) -> None:
        if not self.is_ready:
            raise Unavailable("No prediction would be answered now.", code="not_ready")
        exchange.reply(OK, b'{"ready":true}')

    def _model_ready(self, exchange: Exchange) -> None:
        if not self.is_ready:
            raise Unavailable("No prediction would be answered now.", code="not_ready")
        exchange.reply(OK, self._pages.encode({"name": self._loaded.name, "ready": True}))

    def _server_metadata(self, exchange: Exchange) -> None:
        document = {"name": "samovar", "version": VERSION, "extensions": ["binary_tensor_data"]}
        exchange.reply(OK, self._pages.encode(document))

    def _model_metadata(self, exchange: Exchange) -> None:
        loaded = self._loaded
        document = v2.metadata(loaded.signature, loaded.name, loaded.version, loaded.platform)
        exchange.reply(OK, self._pages.encode(document))

    def _metrics_text(self, exchange: Exchange) -> None:
        batcher, loaded = self._batcher, self._loaded
        self._metrics.gauge(batcher.waiting, batcher.in_flight, len(self.server.connections))
        info = {"name": loaded.name, "digest": loaded.digest, "method": loaded.method}
        exchange.reply(OK, self._metrics.text(info), content_type=_PROMETHEUS)

    def _deliver(self, batch: Sequence[Exchange], outcome: Any) -> None:
        """Answer a batch: one tuple of answers for all of its rows, or an outcome for each."""
        self.server.replies.refresh(time.time())
        if isinstance(outcome, list):
            for exchange, single in zip(batch, outcome, strict=True):
                if isinstance(single, SamovarError):
                    self.server.fail(exchange, single)
                else:
                    self._answer(exchange, single)
            return
        if len(outcome[0].values) == len(batch):
            self._answer_singles(batch, outcome)
            return
        start = 0
        for exchange in batch:
            stop = start + len(exchange.rows)
            self._answer(exchange, tuple(answer.rows(start, stop) for answer in outcome))
            start = stop

    def _answer_singles(self, batch: Sequence[Exchange], answers: Sequence[Answer]) -> None:
        """Answer exchanges of one row each; those of ``/predict`` with as little work as can be."""
        replies, now = self.server.replies, self._now()
        keep, close = replies.json_keep, replies.json_close
        metrics, fast = self._metrics, 0
        is_plain = not self._access_log and not self.server.is_draining
        for number, (exchange, value) in enumerate(
            zip(batch, encode_singles(answers), strict=True)
        ):
            if exchange.encode is not None or exchange.head.note is not PLAIN or not is_plain:
                row = tuple(answer.rows(number, number + 1) for answer in answers)
                self._answer(exchange, row)
                continue
            fast += 1
            metrics.observe_latency(now - exchange.started)
            start = close if exchange.is_last else keep
            exchange.connection.finish(
                exchange, b'%b%d\r\n\r\n{"prediction":%b}' % (start, len(value) + 15, value)
            )
        metrics.count_ok(_PREDICT, fast)

    def _answer(self, exchange: Exchange, answers: Sequence[Answer]) -> None:
        self._metrics.observe_latency(self._now() - exchange.started)
        if exchange.encode is None:
            exchange.reply(OK, b'{"prediction":%b}' % encode_singles(answers)[0])
            return
        try:
            body, kind, headers = exchange.encode(exchange, answers)
        except SamovarError as error:
            self.server.fail(exchange, error)
            return
        exchange.reply(OK, body, content_type=kind, headers=headers)
