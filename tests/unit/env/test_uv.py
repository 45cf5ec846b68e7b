"""What uv is told, and what it says, by uv itself."""

import os

import pytest

from samovar.env.uv import run_uv, uv_variables
from samovar.errors import InvalidRequirements, OutOfSpace, Unavailable


def test_variables_that_would_change_a_result_do_not_reach_uv():
    given = {
        "UV_NO_VERIFY_HASHES": "1", "UV_RESOLUTION": "lowest", "UV_VENV_SEED": "1",
        "UV_PRERELEASE": "allow", "VIRTUAL_ENV": "/v", "PYTHONHOME": "/p", "PATH": "/bin",
    }  # fmt: skip
    kept = uv_variables(given)
    assert kept["PATH"] == "/bin"
    assert not kept.keys() & (given.keys() - {"PATH"})


@pytest.mark.parametrize(
    "name",
    ["UV_CACHE_DIR", "UV_INDEX", "UV_INDEX_CORP_USERNAME", "UV_INDEX_CORP_PASSWORD",
     "UV_EXTRA_INDEX_URL", "UV_KEYRING_PROVIDER", "UV_INSECURE_HOST", "HTTPS_PROXY",
     "SSL_CERT_FILE", "UV_HTTP_TIMEOUT", "UV_INDEX_STRATEGY"],
)  # fmt: skip
def test_indexes_credentials_cache_and_connections_stay(name):
    assert uv_variables({name: "x"})[name] == "x"


def test_an_index_that_pip_knows_is_told_to_uv_unless_uv_has_its_own():
    kept = uv_variables({"PIP_INDEX_URL": "https://a", "PIP_EXTRA_INDEX_URL": "https://b"})
    assert kept["UV_DEFAULT_INDEX"] == "https://a"
    assert kept["UV_EXTRA_INDEX_URL"] == "https://b"
    kept = uv_variables({"PIP_INDEX_URL": "https://a", "UV_DEFAULT_INDEX": "https://own"})
    assert kept["UV_DEFAULT_INDEX"] == "https://own"


@pytest.mark.parametrize(
    ("lines", "kind", "code"),
    [
        ("error: Failed to write: No space left on device (os error 28)", OutOfSpace, "no_space"),
        ("error: 401 Unauthorized for https://u:secret@h/x", Unavailable, "index_credentials"),
        ("error: error sending request for url (https://u:secret@h/x)", Unavailable,
         "index_unreachable"),
        ("  cause: Because no-such was not found in the package\n      registry and you require it",
         InvalidRequirements, "unknown_package"),
        ("error: something new", Unavailable, "uv"),
        ("error: Couldn't parse requirement in `requirements.in`", InvalidRequirements,
         "malformed"),
    ],
)  # fmt: skip
@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a shell script")
def test_what_uv_says_becomes_an_error_of_ours_without_secrets(
    tmp_path, monkeypatch, lines, kind, code
):
    stand_in = tmp_path / "uv"
    stand_in.write_text(f'#!/bin/sh\necho "{lines}" >&2\nexit 2\n'.replace("`", ""))
    stand_in.chmod(0o755)
    monkeypatch.setattr("samovar.env.uv.uv_binary", lambda: str(stand_in))
    with pytest.raises(kind) as caught:
        run_uv(["pip"], offline=False)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
    assert caught.value.why


def test_a_closed_port_is_an_index_that_cannot_be_reached(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Unavailable) as caught:
        run_uv(["pip", "compile", "-q", "-", "--no-config", "--cache-dir", str(tmp_path)],
               offline=False, text="nothing-like-this\n")  # fmt: skip
    assert caught.value.code == "index_unreachable"
