"""Arrow streams asked of a running server."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as arrow
import pytest

from arrow_streams import KIND, hostile, numbers, read, stream_of

if TYPE_CHECKING:
    import httpx

    from runtime_tree import Service

pytest_plugins = ["serving_fixtures"]
PEOPLE = arrow.table(
    {"age": [24.0, None, 30.5], "sex": ["male", "female", "female"], "class": [1, 3, 2]}
)


def post(service: Service, body: bytes, **headers: str) -> httpx.Response:
    kind = {"Content-Type": KIND}
    return service.client.post(f"{service.url}/predict", content=body, headers=kind | headers)


def as_json(service: Service, rows: Any) -> Any:
    return service.client.post(f"{service.url}/predict", json=rows).json()["predictions"]


def test_a_stream_is_answered_by_a_stream_with_the_same_bits(passengers: Service) -> None:
    answer = post(passengers, stream_of(PEOPLE))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, KIND)
    table = read(answer.content)
    assert table.column_names == ["prediction_0", "prediction_1"]
    assert [list(row.values()) for row in table.to_pylist()] == as_json(
        passengers, PEOPLE.to_pylist()
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        (f"{KIND};q=0.5, application/json", KIND),
        (f"{KIND};q=0, application/json", "application/json"),
        ("*/*", KIND),
        ("text/html", KIND),
    ],
)
def test_accept_chooses_the_answer(iris: Service, accept: str, kind: str) -> None:
    answer = post(iris, stream_of(numbers()), Accept=accept)
    assert answer.headers["Content-Type"] == kind


def test_rows_of_json_are_answered_by_a_stream_where_accept_says_so(iris: Service) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
    for body, count in ((rows, 2), (rows[0], 1)):
        answer = iris.client.post(f"{iris.url}/predict", json=body, headers={"Accept": KIND})
        assert read(answer.content)["prediction"].to_pylist() == [0, 2][:count]


def test_columns_are_taken_by_name_and_gzip_is_unpacked(iris: Service) -> None:
    table = numbers(5)
    body = gzip.compress(stream_of(table.select(["x2", "x0", "x3", "x1"])))
    answer = post(iris, body, **{"Content-Encoding": "gzip"})
    rows = [list(row.values()) for row in table.to_pylist()]
    assert read(answer.content)["prediction"].to_pylist() == as_json(iris, rows)


@pytest.mark.parametrize("what", sorted(hostile()))
def test_hostile_streams_get_4xx_and_the_service_lives_on(iris: Service, what: str) -> None:
    answer = post(iris, hostile()[what])
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["message"]
    assert post(iris, stream_of(numbers())).status_code == 200


def test_what_does_not_fit_is_named(passengers: Service) -> None:
    wrong = PEOPLE.set_column(2, "class", [[1, 7, None]])
    answer = post(passengers, stream_of(wrong))
    assert answer.status_code == 422
    assert "Row 2, column 'class'" in answer.json()["error"]["message"]


def test_elsewhere_streams_are_not_read(iris: Service) -> None:
    answer = iris.client.post(
        f"{iris.url}/invocations", content=stream_of(numbers()), headers={"Content-Type": KIND}
    )
    assert answer.status_code == 415


def test_streams_and_json_meet_in_batches_without_harm(passengers: Service, iris: Service) -> None:
    alone = as_json(passengers, PEOPLE.to_pylist())
    flowers = [list(row.values()) for row in numbers().to_pylist()]
    alone_there = as_json(iris, flowers)

    def ask(number: int) -> bool:
        if number % 4 == 0:
            found = read(post(passengers, stream_of(PEOPLE)).content).to_pylist()
            return [list(row.values()) for row in found] == alone
        if number % 4 == 1:
            return bool(as_json(passengers, PEOPLE.to_pylist()) == alone)
        if number % 4 == 2:
            found = read(post(iris, stream_of(numbers())).content)["prediction"].to_pylist()
            return bool(found == alone_there)
        return bool(as_json(iris, flowers) == alone_there)

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(200)))


def test_the_description_names_the_media_type(iris: Service) -> None:
    document = json.loads(iris.client.get(f"{iris.url}/openapi.json").content)
    operation = document["paths"]["/predict"]["post"]
    assert KIND in operation["requestBody"]["content"]
    assert KIND in operation["responses"]["200"]["content"]
