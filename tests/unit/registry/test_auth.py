"""Who we are: Basic, Bearer, identity tokens, helpers; and that no secret gets out."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_registry import FakeRegistry, serving
from registry_content import put_bundle
from samovar.core.reference import Reference
from samovar.errors import RegistryFailure, SamovarError, Unavailable
from samovar.registry.challenges import parse_challenges
from samovar.registry.credentials import Credentials, find_credentials
from samovar.registry.endpoint import Endpoint, is_loopback
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.registry.push import push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samovar.store.layout import Store

QUICK = Options(backoff_s=0.001, timeout_s=5.0, parallel=1)
SECRET = "s3cret word"


@pytest.fixture
def guarded() -> Iterator[FakeRegistry]:
    """A registry that wants tokens."""
    with serving(FakeRegistry(auth="bearer")) as registry:
        yield registry


def reference(registry: FakeRegistry) -> Reference:
    return Reference.parse(f"{registry.host}/team/titanic:1")


def endpoint(text: str) -> Endpoint:
    return Endpoint.of(Reference.parse(text))


# Tokens


def test_one_token_serves_a_whole_push(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None]
) -> None:
    log_in(guarded.host)
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    (asked,) = guarded.asked("GET", "/token")
    assert parse_qs(asked.query) == {
        "service": ["fake"],
        "scope": ["repository:team/titanic:pull,push"],
        "account": ["ada"],
    }


def test_pull_asks_for_no_more_than_it_needs(
    guarded: FakeRegistry, store: Store, other_store: Store, log_in: Callable[..., None]
) -> None:
    log_in(guarded.host)
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    guarded.seen.clear()
    pull(other_store, reference(guarded), options=QUICK)
    scopes = [parse_qs(asked.query)["scope"] for asked in guarded.asked("GET", "/token")]
    assert scopes == [["repository:team/titanic:pull"]]


def test_mount_asks_for_both_repositories(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None]
) -> None:
    log_in(guarded.host)
    bundle = put_bundle(store)
    push(store, bundle, reference(guarded), options=QUICK)
    store.set_name(reference(guarded), bundle)
    guarded.seen.clear()
    push(store, bundle, Reference.parse(f"{guarded.host}/copy:1"), options=QUICK)
    scopes = [parse_qs(asked.query)["scope"] for asked in guarded.asked("GET", "/token")]
    assert ["repository:copy:pull,push", "repository:team/titanic:pull"] in scopes
    assert guarded.asked("PUT", "/blobs/") == []


def test_refused_token_is_renewed_in_the_middle(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None]
) -> None:
    log_in(guarded.host)

    def forget(handler: object) -> bool:
        if len(guarded.seen) == 5:
            guarded.tokens.clear()
        return False

    guarded.faults.append(forget)
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    assert ("team/titanic", "1") in guarded.manifests
    assert len(guarded.asked("GET", "/token")) == 2


def test_token_that_ends_soon_is_not_used_beyond_its_time(
    guarded: FakeRegistry,
    store: Store,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in(guarded.host)
    guarded.token_life_s = 60
    now_s = [time.monotonic()]

    def clock() -> float:
        now_s[0] += 20.0
        return now_s[0]

    monkeypatch.setattr("samovar.registry.auth.time.monotonic", clock)
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    refused = [
        seen for seen in guarded.seen if seen.headers.get("Authorization", "").startswith("Be")
    ]
    assert len(guarded.asked("GET", "/token")) > 2
    assert refused


def test_identity_token_is_exchanged(
    guarded: FakeRegistry, store: Store, docker_config: Callable[[dict[str, object]], Path]
) -> None:
    guarded.identity_token = "refresh me"
    docker_config({"auths": {guarded.host: {"identitytoken": "refresh me"}}})
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    assert len(guarded.asked("POST", "/token")) == 1
    assert guarded.asked("GET", "/token") == []


def test_registry_token_is_sent_as_it_is(
    guarded: FakeRegistry, store: Store, docker_config: Callable[[dict[str, object]], Path]
) -> None:
    guarded.tokens["ready made"] = "repository:team/titanic:pull,push"
    docker_config({"auths": {guarded.host: {"registrytoken": "ready made"}}})
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    assert guarded.asked("GET", "/token") == []


@pytest.mark.parametrize("password", [None, "wrong word"])
def test_token_server_that_refuses_is_the_answer(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None], password: str | None
) -> None:
    if password is not None:
        log_in(guarded.host, password=password)
    with pytest.raises(RegistryFailure) as caught:
        push(store, put_bundle(store), reference(guarded), options=QUICK)
    assert caught.value.code == "registry_denied"
    assert "/token" in str(caught.value)
    assert "wrong word" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"token": 1}', b'{"token": "a\\nb"}', b"\xff"]
)
def test_token_that_is_none_is_an_error(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None], body: bytes
) -> None:
    log_in(guarded.host)
    guarded.once("GET", "/token", lambda handler: handler.answer(200, body), times=99)
    with pytest.raises(RegistryFailure, match="gave no token"):
        pull(store, reference(guarded), options=QUICK)


@pytest.mark.parametrize(
    "realm", ["http://elsewhere.example.com/token", "ftp://x/token", "/token", "", "https:///x"]
)
def test_password_is_not_sent_in_the_clear(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None], realm: str
) -> None:
    log_in(guarded.host)
    guarded.challenge = f'Bearer realm="{realm}",service="fake"'
    with pytest.raises(RegistryFailure, match="no safe token server"):
        pull(store, reference(guarded), options=QUICK)


def test_challenge_without_a_scheme_we_know(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None]
) -> None:
    log_in(guarded.host)
    guarded.challenge = "Negotiate"
    with pytest.raises(RegistryFailure) as caught:
        pull(store, reference(guarded), options=QUICK)
    assert caught.value.status == 401


# No secret gets out


def test_redirects_take_no_credentials_along(
    store: Store, other_store: Store, log_in: Callable[..., None]
) -> None:
    with serving(FakeRegistry(auth="basic")) as registry, serving(FakeRegistry()) as elsewhere:
        log_in(registry.host)
        push(store, put_bundle(store), reference(registry), options=QUICK)
        elsewhere.blobs = registry.blobs
        place = f"{elsewhere.url}/v2/team/titanic/blobs/"

        def redirect(handler: object) -> None:
            digest = handler.path.rpartition("/")[2]  # type: ignore[attr-defined]
            handler.answer(307, Location=place + digest)  # type: ignore[attr-defined]

        registry.once("GET", "/blobs/", redirect, times=99)
        pull(other_store, reference(registry), options=QUICK)
    assert len(elsewhere.seen) == 3
    assert [seen for seen in elsewhere.seen if "Authorization" in seen.headers] == []


def test_uploads_elsewhere_take_no_credentials_along(
    store: Store, log_in: Callable[..., None]
) -> None:
    with serving(FakeRegistry(auth="basic")) as registry, serving(FakeRegistry()) as elsewhere:
        log_in(registry.host)
        registry.location_base = elsewhere.url
        elsewhere.uploads, elsewhere.blobs = registry.uploads, registry.blobs
        push(store, put_bundle(store), reference(registry), options=QUICK)
    assert len(elsewhere.asked("PUT")) == 3
    assert [seen for seen in elsewhere.seen if "Authorization" in seen.headers] == []


def test_redirects_in_a_circle_end(
    fake: FakeRegistry, other_store: Store, log_in: Callable[..., None]
) -> None:
    fake.once("HEAD", "", lambda handler: handler.answer(302, Location=handler.path), times=99)
    with pytest.raises(RegistryFailure, match="led on more than"):
        pull(other_store, reference(fake), options=QUICK)


def test_no_secret_in_errors_logs_or_store(
    guarded: FakeRegistry,
    store: Store,
    other_store: Store,
    log_in: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    log_in(guarded.host)
    caplog.set_level(logging.DEBUG)
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    encoded = base64.b64encode(f"ada:{SECRET}".encode()).decode()
    (token,) = guarded.tokens

    def echo(handler: object) -> None:
        sent = handler.headers["Authorization"]  # type: ignore[attr-defined]
        handler.refuse(400, "ECHO", f"{sent} {SECRET} {encoded} {token}")  # type: ignore[attr-defined]

    guarded.once("GET", "/manifests/", echo, times=99)
    with pytest.raises(RegistryFailure) as caught:
        pull(other_store, reference(guarded), options=QUICK)
    out, err = capfd.readouterr()
    everything = f"{caught.value!r} {caught.value} {caught.value.hint} {caplog.text} {out} {err}"
    newest = list(guarded.tokens)[-1]
    for secret in (SECRET, encoded, newest):
        assert secret not in everything
    for path in (*store.root.rglob("*"), *other_store.root.rglob("*")):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_printed_credentials_have_no_secret() -> None:
    found = Credentials(username="ada", password=SECRET, identity_token="id", registry_token="reg")
    assert repr(found) == "Credentials(username='ada')"


# Where credentials are


def entry(user: str = "ada", password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("r.example.com", "r.example.com/x"),
        ("https://r.example.com", "r.example.com/x"),
        ("https://r.example.com/v1/", "r.example.com/x"),
        ("r.example.com:5000", "r.example.com:5000/x"),
        ("https://index.docker.io/v1/", "docker.io/ada/x"),
        ("docker.io", "docker.io/ada/x"),
        ("https://index.docker.io/v1/", "index.docker.io/ada/x"),
    ],
)
def test_entry_is_found(
    key: str, text: str, docker_config: Callable[[dict[str, object]], Path]
) -> None:
    docker_config({"auths": {"other.example.com": entry("eve"), key: entry()}})
    found = find_credentials(endpoint(text))
    assert found is not None
    assert (found.username, found.password) == ("ada", SECRET)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"auths": {}},
        {"auths": {"r.example.com": {}}},
        {"auths": {"r.example.com:5000": entry()}},
        {"auths": {"evil-r.example.com": entry()}},
        {"auths": {"r.example.com.evil.org": entry()}},
        {"auths": None, "credHelpers": None},
    ],
)
def test_entries_of_others_are_not_used(
    document: dict[str, object], docker_config: Callable[[dict[str, object]], Path]
) -> None:
    docker_config(document)
    assert find_credentials(endpoint("r.example.com/x")) is None


def test_no_configuration_means_nobody() -> None:
    assert find_credentials(endpoint("r.example.com/x")) is None


def test_user_and_password_in_the_open_are_read(
    docker_config: Callable[[dict[str, object]], Path],
) -> None:
    docker_config({"auths": {"r.example.com": {"username": "ada", "password": "a:b:c"}}})
    found = find_credentials(endpoint("r.example.com/x"))
    assert found is not None
    assert found.basic == "Basic " + base64.b64encode(b"ada:a:b:c").decode()


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"auths": []}', '{"credHelpers": 1}',
        '{"auths": {"r.example.com": {"auth": "s3cret!"}}}',
        '{"auths": {"r.example.com": {"auth": "czNjcmV0"}}}',
        '{"auths": {"r.example.com": {"auth": "//79"}}}',
    ],
)  # fmt: skip
def test_configuration_that_is_broken_is_named(text: str) -> None:
    folder = Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)
    with pytest.raises(Unavailable) as caught:
        find_credentials(endpoint("r.example.com/x"))
    assert caught.value.code == "docker_config"
    assert str(folder) in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a credential helper whose program is given."""
    if os.name == "nt":
        pytest.skip("helpers are written as scripts here; on Windows they are .exe files")

    def install(program: str) -> None:
        path = tmp_path / "bin" / "docker-credential-test"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"#!{sys.executable}\nimport json, sys\nserver = sys.stdin.read()\n{program}\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)

    return install


GOOD = 'print(json.dumps({"ServerURL": server, "Username": "ada", "Secret": "%s"}))'


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_helpers_are_asked(
    key: str,
    helper: Callable[[str], None],
    docker_config: Callable[[dict[str, object]], Path],
) -> None:
    helper(GOOD % "from the helper")
    docker_config({key: {"r.example.com": "test"} if key == "credHelpers" else "test"})
    found = find_credentials(endpoint("r.example.com/x"))
    assert found is not None
    assert (found.username, found.password) == ("ada", "from the helper")


def test_helper_is_asked_for_the_hubs_old_name(
    helper: Callable[[str], None], docker_config: Callable[[dict[str, object]], Path]
) -> None:
    helper('print(json.dumps({"Username": "ada", "Secret": server}))')
    docker_config({"credsStore": "test"})
    found = find_credentials(endpoint("docker.io/ada/x"))
    assert found is not None
    assert found.password == "https://index.docker.io/v1/"


def test_helper_may_give_an_identity_token(
    helper: Callable[[str], None], docker_config: Callable[[dict[str, object]], Path]
) -> None:
    helper((GOOD % "refresh").replace("ada", "<token>"))
    docker_config({"credsStore": "test"})
    assert find_credentials(endpoint("r.example.com/x")) == Credentials(identity_token="refresh")


def test_helper_that_knows_nothing_leaves_the_file(
    helper: Callable[[str], None], docker_config: Callable[[dict[str, object]], Path]
) -> None:
    helper("print('credentials not found in native keychain'); sys.exit(1)")
    docker_config({"credsStore": "test", "auths": {"r.example.com": entry()}})
    found = find_credentials(endpoint("r.example.com/x"))
    assert found is not None
    assert found.username == "ada"


@pytest.mark.parametrize(
    "program",
    ["print('s3cret word'); sys.exit(1)", "print('s3cret word')", "print('{}')", "print('[]')"],
)
def test_helper_that_fails_is_named_without_its_words(
    program: str,
    helper: Callable[[str], None],
    docker_config: Callable[[dict[str, object]], Path],
) -> None:
    helper(program)
    docker_config({"credHelpers": {"r.example.com": "test"}})
    with pytest.raises(Unavailable, match="docker-credential-test") as caught:
        find_credentials(endpoint("r.example.com/x"))
    assert SECRET not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", ["absent-helper", "../evil", "a/b", ""])
def test_helper_that_is_missing_is_named(
    name: str, docker_config: Callable[[dict[str, object]], Path]
) -> None:
    docker_config({"credHelpers": {"r.example.com": name}})
    with pytest.raises(Unavailable, match="not installed"):
        find_credentials(endpoint("r.example.com/x"))


# Headers and hosts


@given(st.lists(st.text(max_size=80), max_size=4))
def test_any_challenge_is_read(values: list[str]) -> None:
    assert all(one.scheme == one.scheme.lower() for one in parse_challenges(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['Bearer realm="https://a/t",service="s"'], [("bearer", {"realm": "https://a/t", "service": "s"})]),
        (['BASIC realm="A, \\"B\\""'], [("basic", {"realm": 'A, "B"'})]),
        (["Basic realm=x", "Bearer realm=y"], [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
        (['Basic realm="x", Bearer realm="y",scope="a b"'],
         [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "scope": "a b"})]),
        (["Negotiate"], [("negotiate", {})]),
        ([""], []),
    ],
)  # fmt: skip
def test_challenges_are_read(values: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(values)] == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("localhost:5000", True), ("LOCALHOST", True), ("a.localhost:1", True),
        ("127.0.0.1", True), ("127.8.9.1:80", True), ("[::1]", True), ("[::1]:5000", True),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("10.0.0.1", False),
        ("example.com:127", False), ("[::2]:1", False),
    ],
)  # fmt: skip
def test_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_bare_name_is_no_registry(store: Store) -> None:
    with pytest.raises(SamovarError) as caught:
        push(store, put_bundle(store), Reference.parse("titanic"))
    assert "docker.io/USER/titanic" in str(caught.value.hint)


def test_config_is_only_read(
    guarded: FakeRegistry, store: Store, log_in: Callable[..., None]
) -> None:
    log_in(guarded.host)
    path = Path(os.environ["DOCKER_CONFIG"]) / "config.json"
    before = path.read_text()
    push(store, put_bundle(store), reference(guarded), options=QUICK)
    assert path.read_text() == before
    assert json.loads(before)["auths"]
