"""What a shadow answers, compared with what was answered."""

from __future__ import annotations

import pytest

from samovar.runtime.aside.judge import judge


@pytest.mark.parametrize(
    ("served", "other", "verdict"),
    [
        (b'{"prediction":1}', b'{"prediction":1}', "identical"),
        (b'{"prediction": 1}', b'{"prediction":1}', "identical"),
        (b'{"prediction":[0.25,0.75]}', b'{"prediction":[0.25,0.75000000001]}', "equivalent"),
        (b'{"prediction":[1e-30,1.0]}', b'{"prediction":[2e-30,1.0]}', "equivalent"),
        (b'{"prediction":0.0}', b'{"prediction":1e-300}', "different"),
        (b'{"prediction":[0.25,0.75]}', b'{"prediction":[0.3,0.7]}', "different"),
        (b'{"predictions":[1,0]}', b'{"predictions":[1,1]}', "different"),
        (b'{"predictions":[1,0]}', b'{"predictions":[1]}', "different"),
        (b'{"prediction":1}', b'{"prediction":1.0}', "different"),
        (b'{"prediction":1.0}', b'{"prediction":null}', "different"),
        (b'{"prediction":"a"}', b'{"prediction":"b"}', "different"),
        (b'{"prediction":{"a":1}}', b'{"prediction":{"b":1}}', "different"),
        (
            b'{"model_version":"1","id":"x","outputs":[{"name":"y","data":[1]}]}',
            b'{"model_version":"2","outputs":[{"name":"y","data":[1]}]}',
            "identical",
        ),
        (b"\x00\x01", b"\x00\x02", "different"),
        (b"\xff", b'{"prediction":1}', "different"),
    ],
)
def test_answers_are_judged_as_receipts_are(served: bytes, other: bytes, verdict: str) -> None:
    assert judge(served, other, 1e-9) == verdict
