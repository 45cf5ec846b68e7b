"""Load a bundle's model in its environment."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

from samovar.core import layout
from samovar.core.receipt import Receipt
from samovar.core.signature import Signature
from samovar.errors import Damaged
from samovar.runtime.predictor import quiet_about_names

if TYPE_CHECKING:
    from samovar.runtime.job import Job


def load(job: Job, *, method: str | None = None) -> Any:
    """Load the model that the bundle describes.

    Parameters
    ----------
    job : Job
        Names the unpacked bundle.
    method : str, optional
        What will be called; by default what the bundle says.

    Returns
    -------
    object
        Has the method.
    """
    from samovar.runtime.loading import load_model

    description = _model(job)
    # Behind the environment's own packages: a file of the project can shadow none of them.
    if str(job.project) not in sys.path:
        sys.path.append(str(job.project))
    quiet_about_names()
    # Imports and unpickling make millions of objects and no garbage.
    gc.disable()
    try:
        return load_model(
            job.project / description["path"],
            description["format"],
            trusted=tuple(description.get("trusted", ())),
            method=method or description["method"],
            factory=str(description.get("factory", "")),
        )
    finally:
        # Nor is what stays worth looking at again, which would cost each start a tenth of a second.
        gc.freeze()
        gc.enable()


def method_of(job: Job) -> str:
    """Give the method that the job or the bundle names."""
    return str(job.options.get("method") or _model(job)["method"])


def signature_of(job: Job) -> Signature:
    """Read the signature from the bundle."""
    return Signature.from_json(job.description().get("signature"))


def receipt_of(job: Job) -> Receipt:
    """Read the receipt from the bundle."""
    import json

    try:
        text = (job.bundle / layout.RECEIPT).read_text(encoding="utf-8")
        return Receipt.from_json(json.loads(text))
    except (OSError, ValueError) as error:
        raise Damaged(f"The bundle's {layout.RECEIPT} cannot be read.") from error


def _model(job: Job) -> dict[str, Any]:
    model = job.description().get("model")
    if not isinstance(model, dict):
        raise Damaged(f"The bundle's {layout.DOCUMENT} describes no model.")
    return model
