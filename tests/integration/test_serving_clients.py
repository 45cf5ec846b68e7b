"""Clients that others wrote: tritonclient, MLflow's, schemathesis."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from engines.tools import Tool
    from runtime_tree import Service

pytest_plugins = ["serving_fixtures"]

CHECKS = (
    "not_a_server_error", "content_type_conformance", "response_schema_conformance",
    "status_code_conformance",
)  # fmt: skip
TRITON = """
import json, sys
import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("iris")
assert client.get_server_metadata()["name"] == "samovar"
metadata = client.get_model_metadata("iris")
rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])
answers = []
for binary in (True, False):
    for compression in (None, "gzip"):
        tensor = triton.InferInput(metadata["inputs"][0]["name"], rows.shape, "FP64")
        tensor.set_data_from_numpy(rows, binary_data=binary)
        output = triton.InferRequestedOutput("prediction", binary_data=binary)
        answer = client.infer(
            "iris", [tensor], outputs=[output], request_id="7",
            request_compression_algorithm=compression,
        )
        assert answer.get_response()["id"] == "7"
        answers.append(answer.as_numpy("prediction").tolist())
try:
    tensor = triton.InferInput("input", [1, 2], "FP64")
    tensor.set_data_from_numpy(rows[:1, :2])
    client.infer("iris", [tensor])
    refused = ""
except triton.InferenceServerException as error:
    refused = error.message()
print(json.dumps({"answers": answers, "refused": refused}))
"""

MLFLOW = """
import json, sys
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

host, port = sys.argv[1].split(":")
client = ScoringServerClient(host, int(port))
client.ping()
frame = pd.DataFrame({"class": [1, 3], "sex": ["male", "female"], "age": [24.0, None]})
print(json.dumps(client.invoke(frame).get_predictions().values.tolist()))
"""


def run(tool: Tool, script: str, address: str) -> Any:
    done = subprocess.run(
        [tool.python, "-c", script, address], check=False, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.engine
def test_tritonclient_infers(iris: Service, http_clients: Tool) -> None:
    found = run(http_clients, TRITON, f"127.0.0.1:{iris.port}")
    assert found["answers"] == [[0, 2]] * 4
    assert "[n, 4]" in found["refused"]


@pytest.mark.engine
def test_mlflows_client_scores(passengers: Service, mlflow: Tool) -> None:
    found = run(mlflow, MLFLOW, f"127.0.0.1:{passengers.port}")
    rows = [[1, "male", 24.0], [3, "female", None]]
    expected = passengers.client.post(f"{passengers.url}/predict", json=rows).json()
    assert found == expected["predictions"]


@pytest.mark.engine
@pytest.mark.parametrize("name", ["iris", "passengers"])
@pytest.mark.parametrize(
    ("path", "checks"),
    [
        # What the schema allows is answered, what it forbids is refused.
        ("^/predict$", (*CHECKS, "positive_data_acceptance", "negative_data_rejection")),
        # That a tensor has as many values as its shape says, no schema can say.
        ("", CHECKS),
    ],
)
def test_schemathesis_finds_nothing(
    name: str,
    path: str,
    checks: tuple[str, ...],
    request: pytest.FixtureRequest,
    http_clients: Tool,
) -> None:
    service = request.getfixturevalue(name)
    command = [
        http_clients.bin / "schemathesis", "run", f"{service.url}/openapi.json",
        "--max-examples", "60", "--seed", "1", "--checks", ",".join(checks),
    ]  # fmt: skip
    if path:
        command += ["--include-path-regex", path]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-4000:]
