"""Put together what waits for the model, without a timer.

Whatever arrived while the last call ran is the next batch: under load batches grow by themselves,
and a lone request waits for nobody. Rows of different requests meet only after the codec gave them
the signature's types, so a batch answers what each request alone would be answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.errors import SamovarError, ScriptFailed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.limits import Limits
    from samovar.runtime.metrics import Metrics
    from samovar.runtime.outputs import Answer
    from samovar.runtime.predictor import Predictor

    Outcome = tuple[Answer, ...] | SamovarError
    Deliver = Callable[[Sequence[Exchange], Outcome | list[Outcome]], None]

_RETRY_HINT = "Try again in a moment."


class Batcher:
    """The queue in front of one model.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    predictor : Predictor
        Answers rows.
    limits : Limits
        Of the worker.
    metrics : Metrics
        Counts batches.
    deliver : callable
        Is given exchanges and their outcomes, in order.
    merges : bool
        Whether requests may be put together at all: only where a row's answer then keeps its bits.
    executor : Executor, optional
        A thread for dear models, so that the loop stays awake; a cheap model is called in place.
    """

    def __init__(
        self,
        loop: Any,
        predictor: Predictor,
        limits: Limits,
        metrics: Metrics,
        *,
        deliver: Deliver,
        merges: bool,
        executor: Executor | None = None,
    ) -> None:
        self._loop = loop
        self._predictor = predictor
        self._metrics = metrics
        self._deliver = deliver
        self._executor = executor
        self._max_queue = limits.max_queue
        self._max_rows = limits.max_batch_rows if merges else 1
        self._queue: list[Exchange] = []
        self._is_scheduled = False
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether a further request would be turned away."""
        return len(self._queue) >= self._max_queue

    def submit(self, exchange: Exchange) -> None:
        """Queue an exchange whose rows were read.

        Raises
        ------
        Unavailable
            Where too many wait already.
        """
        queue = self._queue
        if len(queue) >= self._max_queue:
            raise Unavailable("Too many requests are waiting.", hint=_RETRY_HINT, code="queue_full")
        queue.append(exchange)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        batch = self._take()
        if self._executor is None:
            self._is_scheduled = bool(self._queue)
            outcome = self._compute(batch)
            self._deliver(batch, outcome)
            if self._is_scheduled:
                self._loop.call_soon(self._flush)
            return
        self.in_flight = len(batch)
        future = self._executor.submit(self._compute, batch)
        future.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._done, batch, done)
        )

    def _done(self, batch: list[Exchange], future: Future[Any]) -> None:
        self.in_flight = 0
        self._is_scheduled = bool(self._queue)
        if self._is_scheduled:
            # Before the replies are written: the model need not wait for them.
            self._flush()
        self._deliver(batch, future.result())

    def _take(self) -> list[Exchange]:
        """Take what fits into one call; a large request goes alone."""
        queue = self._queue
        if len(queue) == 1:
            self._queue = []
            return queue
        rows = 0
        for count, exchange in enumerate(queue):
            rows += len(exchange.rows)
            if rows > self._max_rows and count:
                self._queue = queue[count:]
                return queue[:count]
        self._queue = []
        return queue

    def _compute(self, batch: list[Exchange]) -> Outcome | list[Outcome]:
        """Answer a batch; where it fails, each request alone, so that none harms another."""
        parts = [exchange.rows for exchange in batch]
        clock = self._loop.time
        started = clock()
        try:
            rows = self._predictor.codec.concatenate(parts)
            answers = self._predictor(rows)
        except SamovarError as error:
            if len(parts) == 1:
                return [self._named(parts[0], error)]
            return [self._alone(part) for part in parts]
        except MemoryError:
            return [_no_memory() for _ in batch]
        self._metrics.observe_batch(len(rows), clock() - started)
        return answers

    def _alone(self, rows: Any) -> Outcome:
        try:
            return self._predictor(rows)
        except SamovarError as error:
            return self._named(rows, error)
        except MemoryError:
            return _no_memory()

    def _named(self, rows: Any, error: SamovarError) -> SamovarError:
        """Find the row that the model refuses."""
        if len(rows) == 1 or error.code != "model_refused":
            return error
        for number in range(len(rows)):
            try:
                self._predictor.ask(rows[number : number + 1])
            except ScriptFailed as single:
                return ScriptFailed(
                    f"The model refused row {number}.", why=single.why, code=single.code
                )
        return error


def _no_memory() -> Unavailable:
    return Unavailable("There is not enough memory for these rows.", hint=_RETRY_HINT)
