"""Bundles and services from Python: ``samovar.load(TARGET)`` and ``samovar.remote(URL)``.

Both answer a DataFrame, a 2-D array, or a list of rows, records or texts, and give NumPy arrays.
The types are the signature's on either side; what does not fit is refused, naming row and column.
"""

from __future__ import annotations

import shutil
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samovar.bundle.dataframes import batches_of_frame
from samovar.bundle.environment import packages_of, wanted
from samovar.bundle.opened import unpack_bundle
from samovar.bundle.remote_model import RemoteModel
from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.bundle.verify import check_model
from samovar.compare.verdict import DIFFERENT, compare_outputs
from samovar.env.interpreters import probe
from samovar.env.lock import Lock
from samovar.errors import EnvironmentMismatch
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.bundle.opened import Bundle
    from samovar.core.signature import Signature
    from samovar.runtime.predictor import Predictor


def load(target: str, *, allow_version_mismatch: bool = False) -> LocalModel:
    """Load a bundle's model into this very process.

    Parameters
    ----------
    target : str
        As on the command line: a name, a digest, a folder, a ``.tar``, a registry reference.
    allow_version_mismatch : bool
        Load although this environment is not the lock's; by default that is refused.

    Returns
    -------
    LocalModel
        Ready to be asked; it has answered the receipt.

    Raises
    ------
    EnvironmentMismatch
        Where this environment does not answer the lock, or the model does not answer the receipt
        here; every distribution that is another is named.
    Refused
        Where the audit refuses the model. Nothing of it was imported then.
    """
    home = Home.locate()
    store = Store(home.store)
    _, bundle = resolve(home, store, read_target(target, store), lambda _text: None)
    if not allow_version_mismatch:
        _check_environment(bundle)
    folder = home.new_workspace()
    try:
        unpacked = unpack_bundle(store, bundle, folder / "bundle")
        check_model(bundle, unpacked)
        model = LocalModel(bundle, unpacked)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return model


def remote(url: str) -> RemoteModel:
    """Ask a service that samovar runs somewhere, as if its model were here.

    Parameters
    ----------
    url : str
        ``http://host:port``.

    Raises
    ------
    Unavailable
        Where nobody answers there.
    InvalidInput
        Where it is another kind of service.
    """
    return RemoteModel(url)


class LocalModel:
    """A bundle's model in this process.

    Parameters
    ----------
    bundle : Bundle
        Whose model it is.
    unpacked : Path
        Its folder.

    Attributes
    ----------
    digest : str
        Of the bundle.
    signature : Signature
        Of the model.
    verdict : str
        IDENTICAL or EQUIVALENT: how the model answered the receipt here.
    """

    def __init__(self, bundle: Bundle, unpacked: Path) -> None:
        from samovar.runtime.codec import Codec
        from samovar.runtime.columns import ColumnReader
        from samovar.runtime.job import Job
        from samovar.runtime.opening import load as load_model
        from samovar.runtime.predictor import Predictor

        job = Job(verb="load", bundle=unpacked, wanted={}, result=None, options={})
        receipt = bundle.receipt
        self.digest = str(bundle.digest)
        self.signature: Signature = bundle.document.signature
        self._codec = Codec(self.signature)
        self._reader = ColumnReader(self.signature)
        self._predictor: Predictor = Predictor(
            load_model(job),
            receipt.method,
            self._codec,
            is_batching=receipt.batching != "refused",
            rows_multiple=receipt.rows_multiple,
        )
        self.verdict = self._prove(bundle)

    def predict(self, rows: Any) -> Any:
        """Answer rows by the bundle's method.

        Parameters
        ----------
        rows : DataFrame, array or list
            Columns in any order, by name; an array's in the signature's. A list is of rows, records
            or texts.

        Returns
        -------
        numpy.ndarray or list of numpy.ndarray
            One entry for each row; a list where the model has several outputs.

        Raises
        ------
        InvalidInput
            Naming the row and the column of what does not fit the signature.
        """
        from samovar.runtime.columns import ask_columns
        from samovar.runtime.outputs import concatenate

        if isinstance(rows, (list, tuple)):
            answers = self._predictor(self._codec.read_rows(list(rows)))
        else:
            done, batches = 0, []
            for batch in batches_of_frame(rows, self.signature):
                batches.append(ask_columns(self._predictor, self._reader, batch.columns, done))
                done += batch.rows
            answers = concatenate(batches)
        values = [answer.values for answer in answers]
        return values[0] if len(values) == 1 else values

    def _prove(self, bundle: Bundle) -> str:
        from samovar.runtime.outputs import concatenate, to_tensor

        rows = self._codec.read_rows(bundle.receipt.rows)
        answers = concatenate([self._predictor.ask([row]) for row in rows])
        observed = [to_tensor(answer) for answer in answers]
        compared = compare_outputs(bundle.receipt.outputs, observed, bundle.receipt.policy)
        if compared.verdict == DIFFERENT:
            raise EnvironmentMismatch(
                f"The model answers {len(compared.differences)} of {compared.rows} reference rows "
                "differently here.",
                hint=f"See 'samovar verify {bundle.document.name} --python {sys.executable}'.",
                code="different",
            )
        return compared.verdict


def _check_environment(bundle: Bundle) -> None:
    from samovar.runtime.packages import find_mismatches

    interpreter = probe(Path(sys.executable))
    packages = packages_of(Lock.from_bytes(bundle.lock), interpreter)
    mismatches = find_mismatches(wanted(bundle.document, packages), without_own=False)
    if mismatches:
        raise EnvironmentMismatch(
            "This environment does not answer the lock; nothing was loaded.",
            why="; ".join(
                f"{item['name']} {item['wanted']} is wanted, {item['found'] or 'none'} was found"
                for item in mismatches
            ),
            hint="Use 'samovar venv' and install samovar there, or samovar.remote(URL).",
        )
