"""What clients speak, asked of a running server."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from runtime_tree import Service

pytest_plugins = ["serving_fixtures"]
ROW = [5.1, 3.5, 1.4, 0.2]


def post(service: Service, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return service.client.post(f"{service.url}{path}", content=content, headers=headers)


def test_root_answers_the_message(iris: Service) -> None:
    answer = iris.client.get(iris.url + "/")
    assert (answer.status_code, answer.text) == (200, "Server is running!")


def test_one_row_is_one_prediction(iris: Service) -> None:
    assert post(iris, "/predict", ROW).json() == {"prediction": 0}


def test_a_record_is_one_prediction(iris: Service) -> None:
    record = dict(zip(("x3", "x0", "x1", "x2"), (0.2, 5.1, 3.5, 1.4), strict=True))
    assert post(iris, "/predict", record).json() == {"prediction": 0}


def test_a_list_of_rows_is_a_list_of_predictions(iris: Service) -> None:
    assert post(iris, "/predict", [ROW, [6.3, 3.3, 6.0, 2.5]]).json() == {"predictions": [0, 2]}


def test_named_columns_with_null_and_text(passengers: Service) -> None:
    one = post(passengers, "/predict", [3, "female", None]).json()["prediction"]
    many = post(passengers, "/predict", [{"class": 3, "sex": "female", "age": None}]).json()
    assert len(one) == 2
    assert sum(one) == pytest.approx(1.0)
    assert many == {"predictions": [one]}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ([5.1, 3.5, 1.4, "a"], 422, "Row 0, column 'x3': a number (float64) is wanted, 'a'"),
        ([5.1, 3.5, 1.4, True], 422, "column 'x3': a number (float64) is wanted, true was found"),
        ([5.1, 3.5, 1.4, None], 422, "column 'x3': a number (float64) is wanted, null was found"),
        ([5.1, 3.5], 422, "Row 0 has 2 values, the model takes 4."),
        ([ROW, [1, 2, 3]], 422, "Row 1 has 3 values"),
        ({"x0": 1, "x1": 1, "x2": 1, "y": 1}, 422, "lacks the column 'x3'"),
        ({"x0": 1, "x1": 1, "x2": 1, "x3": 1, "y": 1}, 422, "has the unknown column 'y'"),
        ([9007199254740993, 1, 1, 1], 422, "float64 cannot hold 9007199254740993 exactly"),
        ("[1, 2, 3, NaN]", 400, "no valid JSON"),
        ("[1e999, 2, 3, 4]", 422, "too large"),
        ('{"x0": 1, "x0": 2, "x1": 1, "x2": 1, "x3": 1}', 400, "a name twice"),
        ([], 422, "There are no rows."),
    ],
)
def test_wrong_rows_are_named(iris: Service, body: Any, status: int, words: str) -> None:
    answer = post(iris, "/predict", body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert words in error["message"]
    assert set(error) == {"code", "message", "hint"}


def test_v2_describes_the_model(iris: Service) -> None:
    document = iris.client.get(f"{iris.url}/v2/models/iris").json()
    assert document["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}]
    assert document["outputs"] == [{"name": "prediction", "datatype": "INT64", "shape": [-1]}]
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/iris/ready"):
        assert iris.client.get(iris.url + path).status_code == 200


def test_v2_infers_json_tensors_without_a_content_type(iris: Service) -> None:
    tensor = {"name": "input", "shape": [2, 4], "datatype": "FP64", "data": [*ROW, 6, 3, 6, 2.5]}
    answer = post(iris, "/v2/models/iris/infer", {"id": "7", "inputs": [tensor]}).json()
    assert answer["id"] == "7"
    assert answer["outputs"] == [
        {"name": "prediction", "datatype": "INT64", "shape": [2], "data": [0, 2]}
    ]


def test_v2_infers_binary_tensors(iris: Service) -> None:
    data = struct.pack("<4d", *ROW)
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "input",
                    "shape": [1, 4],
                    "datatype": "FP64",
                    "parameters": {"binary_data_size": len(data)},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    answer = post(
        iris,
        "/v2/models/iris/infer",
        head + data,
        **{"Inference-Header-Content-Length": str(len(head))},
    )
    length = int(answer.headers["Inference-Header-Content-Length"])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 8}
    assert struct.unpack("<q", answer.content[length:]) == (0,)


def test_v2_takes_one_tensor_for_each_column(passengers: Service) -> None:
    inputs = [
        {"name": "class", "shape": [1], "datatype": "INT64", "data": [1]},
        {"name": "sex", "shape": [1], "datatype": "BYTES", "data": ["male"]},
        {"name": "age", "shape": [1], "datatype": "FP64", "data": [24.0]},
    ]
    answer = post(passengers, "/v2/models/passengers/infer", {"inputs": inputs}).json()
    (output,) = answer["outputs"]
    assert output["shape"] == [1, 2]
    alone = post(passengers, "/predict", [1, "male", 24.0]).json()["prediction"]
    assert output["data"] == alone


def test_v2_errors_are_sentences(iris: Service) -> None:
    tensor = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [1, 2, 3, "x"]}
    answer = post(iris, "/v2/models/iris/infer", {"inputs": [tensor]})
    assert answer.status_code == 422
    assert "FP64 is wanted, 'x' was found" in answer.json()["error"]
    assert iris.client.get(f"{iris.url}/v2/models/other").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [ROW]},
        {"instances": [ROW]},
        {"inputs": {"x0": [5.1], "x1": [3.5], "x2": [1.4], "x3": [0.2]}},
        {"dataframe_split": {"columns": ["x3", "x0", "x1", "x2"], "data": [[0.2, 5.1, 3.5, 1.4]]}},
        {"dataframe_split": {"columns": [0, 1, 2, 3], "index": [0], "data": [ROW]}},
        {"dataframe_records": [{"x0": 5.1, "x1": 3.5, "x2": 1.4, "x3": 0.2}]},
    ],
)
def test_invocations_in_all_forms(iris: Service, body: Any) -> None:
    assert post(iris, "/invocations", body).json() == {"predictions": [0]}


def test_invocations_takes_csv(passengers: Service) -> None:
    csv = "sex,class,age\nfemale,3,\nmale,1,24\n"
    answer = post(passengers, "/invocations", csv, **{"Content-Type": "text/csv"}).json()
    rows = [[3, "female", None], [1, "male", 24]]
    assert answer == post(passengers, "/predict", rows).json()


def test_invocations_errors_are_mlflows(iris: Service) -> None:
    answer = post(iris, "/invocations", {"inputs": [[1, 2, 3, "x"]]})
    assert answer.status_code == 422
    assert set(answer.json()) == {"error_code", "message"}


def test_metrics_count_requests(iris: Service) -> None:
    def count() -> float:
        for line in iris.client.get(f"{iris.url}/metrics").text.splitlines():
            if line.startswith('samovar_requests_total{endpoint="/predict",status="200"}'):
                return float(line.split()[-1])
        return 0.0

    before = count()
    post(iris, "/predict", ROW)
    post(iris, "/predict", [ROW, ROW])
    assert count() == before + 2


def test_a_request_id_comes_back(iris: Service) -> None:
    answer = post(iris, "/predict", ROW, **{"X-Request-Id": "abc-1"})
    assert answer.headers["X-Request-Id"] == "abc-1"
    assert answer.json() == {"prediction": 0}


def test_gzip_bodies_are_read(iris: Service) -> None:
    import gzip

    body = gzip.compress(json.dumps(ROW).encode())
    answer = post(iris, "/predict", body, **{"Content-Encoding": "gzip"})
    assert answer.json() == {"prediction": 0}


def test_openapi_names_the_paths_and_columns(passengers: Service) -> None:
    document = passengers.client.get(f"{passengers.url}/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert "/v2/models/passengers/infer" in document["paths"]
    record = document["components"]["schemas"]["Row"]["oneOf"][1]
    assert record["required"] == ["class", "sex", "age"]
    assert record["properties"]["age"]["type"] == ["number", "null"]


def test_head_has_the_length_and_no_body(iris: Service) -> None:
    answer = iris.client.head(f"{iris.url}/")
    assert (answer.status_code, answer.headers["Content-Length"], answer.text) == (200, "18", "")


def test_methods_and_paths_that_are_not_there(iris: Service) -> None:
    answer = iris.client.get(f"{iris.url}/predict")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    assert iris.client.get(f"{iris.url}/nothing").status_code == 404
