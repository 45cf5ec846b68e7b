"""The Open Inference Protocol over gRPC, asked by tritonclient."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime_tree import Service, command, serving
from samovar.env.interpreters import probe
from samovar.env.runtime_folder import grpc_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.tools import Tool

pytest_plugins = ["serving_fixtures"]
pytestmark = pytest.mark.engine

SOURCE = Path(__file__).parents[2] / "src"
READ = """
import json, sys
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2

client = triton.InferenceServerClient(sys.argv[1])

def refusal(*arguments, **options):
    try:
        client.infer(*arguments, **options)
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]
"""
IRIS = (
    READ
    + """
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("iris")
assert client.get_server_metadata().name == "samovar"
metadata = client.get_model_metadata("iris", as_json=True)
rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])
tensor = triton.InferInput(metadata["inputs"][0]["name"], rows.shape, "FP64")
tensor.set_data_from_numpy(rows)
raw = client.infer("iris", [tensor], request_id="7")
plain = service_pb2.ModelInferRequest(model_name="iris", id="8")
one = plain.inputs.add(name="input", datatype="FP64", shape=[2, 4])
one.contents.fp64_contents.extend(rows.ravel().tolist())
answer = client._client_stub.ModelInfer(plain)
narrow = triton.InferInput("input", [1, 2], "FP64")
narrow.set_data_from_numpy(rows[:1, :2].copy())
print(json.dumps({
    "ids": [raw.get_response().id, answer.id],
    "raw": raw.as_numpy("prediction").tolist(),
    "plain": list(answer.outputs[0].contents.int64_contents),
    "shape": refusal("iris", [narrow]),
    "model": refusal("nobody", [tensor]),
    "output": refusal("iris", [tensor], outputs=[triton.InferRequestedOutput("odds")]),
}))
"""
)
PASSENGERS = (
    READ
    + """
columns = {
    "class": ("INT64", np.array([1, 3])),
    "sex": ("BYTES", np.array(["male", "female"], dtype=object)),
    "age": ("FP64", np.array([24.0, float("nan")])),
}
tensors = []
for name, (datatype, values) in columns.items():
    tensors.append(triton.InferInput(name, values.shape, datatype))
    tensors[-1].set_data_from_numpy(values)
answer = client.infer("passengers", tensors)
print(json.dumps(answer.as_numpy("prediction").tolist()))
"""
)
SLOW = (
    READ
    + """
from concurrent.futures import ThreadPoolExecutor
def ask(value):
    tensor = triton.InferInput("input", [1, 1], "FP64")
    tensor.set_data_from_numpy(np.array([[value]]))
    return client.infer("iris", [tensor]).as_numpy("prediction").tolist()[0]
with ThreadPoolExecutor(4) as pool:
    futures = [pool.submit(ask, float(i)) for i in range(4)]
    print("asked", flush=True)
    print(json.dumps([future.result() for future in futures]))
"""
)
FIELDS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from samovar.runtime.grpc.messages import message_classes
from tritonclient.grpc import service_pb2

def fields(descriptor):
    return {
        field.name: [field.number, field.type, field.message_type and field.message_type.full_name]
        for field in descriptor.fields
    }

def walk(ours, published):
    theirs = fields(published)
    assert ours.full_name == published.full_name
    for name, field in fields(ours).items():
        assert theirs[name] == field, (ours.full_name, name, theirs[name], field)
    for nested in ours.nested_types:
        walk(nested, published.nested_types_by_name[nested.name])
    return len(ours.fields)

print(json.dumps({
    name: walk(message.DESCRIPTOR, getattr(service_pb2, name).DESCRIPTOR)
    for name, message in message_classes().items()
}))
"""


def run(tool: Tool, script: str, *arguments: str | Path) -> Any:
    done = subprocess.run(
        [tool.python, "-c", script, *arguments], check=False, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def grpc_option(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("grpc")
    packages = grpc_folder(
        folder, probe(Path(sys.executable)), offline=False, progress=lambda _: None
    )
    return {"port": 0, "packages": str(packages)}


@pytest.fixture(scope="module")
def grpc_iris(runtime: Path, iris_bundle: Path, grpc_option: dict[str, Any]) -> Iterator[Service]:
    with serving(runtime, iris_bundle, grpc=grpc_option, workers=2) as service:
        yield service


def test_messages_are_the_published_ones(http_clients: Tool) -> None:
    found = run(http_clients, FIELDS, SOURCE)
    assert len(found) == 14
    assert found["ModelInferRequest"] == 7


def test_tritonclient_infers_raw_and_plain(grpc_iris: Service, http_clients: Tool) -> None:
    assert grpc_iris.grpc is not None
    found = run(http_clients, IRIS, grpc_iris.grpc)
    assert found["ids"] == ["7", "8"]
    assert found["raw"] == found["plain"] == [0, 2]
    assert found["shape"][0] == "StatusCode.INVALID_ARGUMENT"
    assert "[n, 4]" in found["shape"][1]
    assert found["model"][0] == "StatusCode.NOT_FOUND"
    assert "The outputs are: prediction." in found["output"][1]
    counted = grpc_iris.client.get(f"{grpc_iris.url}/metrics").text
    assert 'endpoint="/v2/infer",status="200"' in counted.replace(", ", ",")


def test_columns_of_several_types_and_nulls(
    runtime: Path, passengers_bundle: Path, grpc_option: dict[str, Any], http_clients: Tool
) -> None:
    with serving(runtime, passengers_bundle, name="passengers", grpc=grpc_option) as service:
        assert service.grpc is not None
        found = run(http_clients, PASSENGERS, service.grpc)
        rows = [[1, "male", 24.0], [3, "female", None]]
        over_http = service.client.post(f"{service.url}/predict", json=rows).json()
    assert found == over_http["predictions"]


def test_sigterm_answers_what_is_in_flight(
    runtime: Path, slow_bundle: Path, grpc_option: dict[str, Any], http_clients: Tool
) -> None:
    with serving(runtime, slow_bundle, grpc=grpc_option) as service:
        assert service.grpc is not None
        with subprocess.Popen(
            [http_clients.python, "-c", SLOW, service.grpc], stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "asked\n"
            time.sleep(0.3)
            service.process.send_signal(signal.SIGTERM)
            answers = json.loads(client.stdout.readline())
        assert answers == [0.0, 2.0, 4.0, 6.0]
        assert service.process.wait(timeout=20) == 0


def test_a_taken_port_is_named(
    grpc_iris: Service, runtime: Path, iris_bundle: Path, grpc_option: dict[str, Any]
) -> None:
    assert grpc_iris.grpc is not None
    port = int(grpc_iris.grpc.rpartition(":")[2])
    job = json.loads((iris_bundle.parent / "serve.json").read_text(encoding="utf-8"))
    job["grpc"] = {**grpc_option, "port": port}
    path = iris_bundle.parent / "taken.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    done = subprocess.run(
        command(runtime, path), check=False, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 3
    assert str(port) in json.loads(done.stdout)["error"]["message"]
