"""A worker's gRPC server: each call becomes an exchange in the same queue as those over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
import msgspec

from samovar.errors import SamovarError
from samovar.runtime import VERSION
from samovar.runtime.grpc.messages import SERVICE, message_classes
from samovar.runtime.grpc.tensors import read_request, wanted_outputs, write_response
from samovar.runtime.http.head import Head
from samovar.runtime.http_errors import CONTENT_TOO_LARGE, NOT_FOUND, OK, UNAVAILABLE, status_of
from samovar.runtime.metrics import endpoint
from samovar.runtime.protocols import v2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.runtime.limits import Limits
    from samovar.runtime.loaded import Loaded
    from samovar.runtime.metrics import Metrics
    from samovar.runtime.outputs import Answer

_CODES: Final = {
    NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    CONTENT_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
_INFER: Final = endpoint("/v2/infer")


class Call:
    """One ``ModelInfer`` in the place of an exchange; its reply settles a future.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    request : ModelInferRequest
        As received.
    rows : Rows
        What was read from it.
    encode : callable
        Makes the response of the answers.
    """

    def __init__(
        self, loop: Any, request: Any, rows: Any, encode: Callable[..., tuple[Any, bytes, bytes]]
    ) -> None:
        self.head = Head(
            method=b"POST", path=b"/v2", query=b"", headers={}, length=0, is_last=False,
            handle=_nothing, endpoint=_INFER,
        )  # fmt: skip
        self.request = request
        self.rows = rows
        self.encode = encode
        self.started: float = loop.time()
        self.reply_future: Any = loop.create_future()

    def reply(self, status: int, body: Any, **_: Any) -> None:
        """Settle the call; a caller that hung up is owed nothing."""
        if not self.reply_future.done():
            self.reply_future.set_result((status, body))


def _nothing(_exchange: Any) -> None:
    """Handle nothing: a call is read before it becomes an exchange."""


class GrpcFront:
    """Answers ``inference.GRPCInferenceService`` on a port of its own.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker; not running yet.
    loaded : Loaded
        The model.
    limits : Limits
        Bounds: sizes of messages, requests at once.
    metrics : Metrics
        The worker's counts.
    submit : callable
        Queues a call.
    is_ready : callable
        Whether a prediction would be answered now.
    """

    def __init__(
        self,
        loop: Any,
        loaded: Loaded,
        limits: Limits,
        metrics: Metrics,
        *,
        submit: Callable[[Any], None],
        is_ready: Callable[[], bool],
    ) -> None:
        self._loop = loop
        self._loaded = loaded
        self._metrics = metrics
        self._submit = submit
        self._is_ready = is_ready
        self._drain_s = limits.drain_s
        self._outputs = [output.name for output in loaded.signature.outputs]
        self._messages = message_classes()
        self._server: Any = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 1),
            ],
            maximum_concurrent_rpcs=limits.max_connections,
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))

    def start(self, address: str) -> None:
        """Take calls on an address, ``127.0.0.1:8001``; the port is held by the parent."""
        self._server.add_insecure_port(address)
        self._loop.run_until_complete(self._server.start())

    def drain(self, done: Callable[[], None]) -> None:
        """Take no more calls, answer those in flight, then call back."""

        async def stop() -> None:
            await self._server.stop(self._drain_s)
            done()

        self._stopping = self._loop.create_task(stop())

    def _handlers(self) -> Any:
        methods = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    method,
                    request_deserializer=self._messages[f"{name}Request"].FromString,
                    response_serializer=self._messages[f"{name}Response"].SerializeToString,
                )
                for name, method in methods.items()
            },
        )

    async def _server_live(self, _request: Any, _context: Any) -> Any:
        return self._messages["ServerLiveResponse"](live=True)

    async def _server_ready(self, _request: Any, _context: Any) -> Any:
        return self._messages["ServerReadyResponse"](ready=self._is_ready())

    async def _model_ready(self, request: Any, context: Any) -> Any:
        await self._check_model(request.name, request.version, context)
        return self._messages["ModelReadyResponse"](ready=self._is_ready())

    async def _server_metadata(self, _request: Any, _context: Any) -> Any:
        return self._messages["ServerMetadataResponse"](name="samovar", version=VERSION)

    async def _model_metadata(self, request: Any, context: Any) -> Any:
        await self._check_model(request.name, request.version, context)
        loaded = self._loaded
        return self._messages["ModelMetadataResponse"](
            **v2.metadata(loaded.signature, loaded.name, loaded.version, loaded.platform)
        )

    async def _infer(self, request: Any, context: Any) -> Any:
        await self._check_model(request.model_name, request.model_version, context)
        try:
            wanted = wanted_outputs(request, self._outputs)
            rows = read_request(self._loaded.predictor.codec, request)
            call = Call(self._loop, request, rows, lambda _, got: self._respond(call, wanted, got))
            self._submit(call)
        except SamovarError as error:
            status = status_of(error)
            hint = f" {error.hint}" if error.hint else ""
            await self._abort(context, status, f"{error}{hint}")
        status, body = await call.reply_future
        if status != OK:
            await self._abort(context, status, msgspec.json.decode(body)["error"])
        self._metrics.count(_INFER, OK)
        return body

    def _respond(
        self, call: Call, wanted: Sequence[str], answers: Sequence[Answer]
    ) -> tuple[Any, bytes, bytes]:
        response = self._messages["ModelInferResponse"](
            model_name=self._loaded.name, model_version=self._loaded.version, id=call.request.id
        )
        is_raw = bool(call.request.raw_input_contents)
        write_response(response, answers, wanted, is_raw=is_raw)
        return response, b"", b""

    async def _check_model(self, name: str, version: str, context: Any) -> None:
        if name != self._loaded.name or version not in {"", self._loaded.version}:
            await self._abort(
                context,
                NOT_FOUND,
                f"There is no model {name[:80]!r}, version {version[:80]!r}: this is "
                f"{self._loaded.name!r}, version {self._loaded.version!r}.",
            )

    async def _abort(self, context: Any, status: int, words: str) -> NoReturn:
        """End a call with the gRPC code of an HTTP status."""
        self._metrics.count(_INFER, status)
        code = _CODES.get(status, grpc.StatusCode.INVALID_ARGUMENT)
        if status >= 500 and status != UNAVAILABLE:
            code = grpc.StatusCode.INTERNAL
        await context.abort(code, words)
        raise AssertionError("abort() returned")
