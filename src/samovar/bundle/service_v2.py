"""Ask a service by the Open Inference Protocol.

References
----------
Open Inference Protocol V2, "HTTP/REST": model metadata and inference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.core.receipt import Receipt, Tensor

if TYPE_CHECKING:
    import httpx

    from samovar.core.bundle import BundleDocument

_FLOATS: Final = frozenset({"FP16", "FP32", "FP64"})


def ask_v2(
    client: httpx.Client, base: str, document: BundleDocument, receipt: Receipt
) -> list[Tensor] | None:
    """Ask for a receipt's rows in one request.

    Parameters
    ----------
    client : httpx.Client
        Open.
    base : str
        The service's address.
    document : BundleDocument
        Names the model.
    receipt : Receipt
        Its rows are sent, and its outputs name what is looked for in the answer.

    Returns
    -------
    list of Tensor or None
        None where the service has no such model, or does not take its rows this way.
    """
    url = f"{base}/v2/models/{document.name}"
    metadata = client.get(url)
    if metadata.status_code != 200 or document.signature.container == "texts":
        return None
    inputs = _inputs(metadata.json().get("inputs", []), document, receipt)
    if inputs is None:
        return None
    answer = client.post(f"{url}/infer", json={"inputs": inputs})
    if answer.status_code != 200:
        return None
    found = {output.get("name"): output for output in answer.json().get("outputs", [])}
    tensors = []
    for output in receipt.outputs:
        tensor = found.get(output.name)
        if tensor is None or tensor.get("datatype") != output.datatype:
            return None
        data = [_restored(value, output.datatype) for value in tensor["data"]]
        tensors.append(
            Tensor(
                name=output.name,
                datatype=output.datatype,
                shape=tuple(tensor["shape"]),
                data=tuple(data),
            )
        )
    return tensors


def _restored(value: Any, datatype: str) -> Any:
    """Undo what JSON does to a float: null for NaN, an integer for a whole number."""
    if datatype not in _FLOATS:
        return value
    if value is None:
        return "NaN"
    return float(value) if isinstance(value, (int, float)) else value


def _inputs(
    listed: list[dict[str, Any]], document: BundleDocument, receipt: Receipt
) -> list[dict[str, Any]] | None:
    """Write the rows as the metadata asks: one tensor of all columns, or one for each."""
    rows, names = receipt.rows, [column.name for column in document.signature.inputs]
    if len(listed) == 1 and len(names) != 1:
        flat = [value for row in rows for value in row]
        shape = [len(rows), len(names)]
        return [{**_head(listed[0]), "shape": shape, "data": flat}]
    by_name = {str(one.get("name")): one for one in listed}
    if set(by_name) != set(names):
        return None
    return [
        {
            **_head(by_name[name]),
            "shape": [len(rows), *([1] if len(by_name[name].get("shape", [])) > 1 else [])],
            "data": [row[place] for row in rows],
        }
        for place, name in enumerate(names)
    ]


def _head(listed: dict[str, Any]) -> dict[str, Any]:
    return {"name": listed.get("name"), "datatype": listed.get("datatype")}
