"""Certificates, plain http, and proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engines.processes import need
from fake_registry import FakeRegistry, serving
from recorded import Authority, make_authority, proxying
from registry_content import put_bundle
from samovar.core.reference import Reference
from samovar.errors import RegistryFailure, Unavailable
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.registry.push import push

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.store.layout import Store

QUICK = Options(backoff_s=0.001, timeout_s=5.0, attempts=2)
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    openssl = need("openssl", "apt install openssl")
    return make_authority(openssl, tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


@pytest.fixture
def secure(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    with serving(FakeRegistry(), certificate=authority.server) as registry:
        yield registry


@pytest.mark.parametrize("variable", VARIABLES)
def test_own_authority_is_trusted(
    variable: str,
    secure: FakeRegistry,
    authority: Authority,
    store: Store,
    other_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, str(authority.certificate))
    reference = Reference.parse(f"{secure.host}/titanic:1")
    bundle = put_bundle(store)
    push(store, bundle, reference, options=QUICK)
    assert pull(other_store, reference, options=QUICK).descriptor == bundle


def test_unknown_authority_is_not(secure: FakeRegistry, store: Store) -> None:
    with pytest.raises(RegistryFailure) as caught:
        pull(store, Reference.parse(f"{secure.host}/titanic"), options=QUICK)
    assert caught.value.code == "registry_tls"
    assert "SSL_CERT_FILE" in str(caught.value.hint)


def test_certificates_that_cannot_be_read_are_named(
    secure: FakeRegistry, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(Unavailable, match=r"/nowhere/ca\.pem"):
        pull(store, Reference.parse(f"{secure.host}/titanic"), options=QUICK)


def test_plain_http_is_not_spoken_beyond_loopback(
    fake: FakeRegistry, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(fake.host.rpartition(":")[2])
    with proxying(port) as (proxy, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        with pytest.raises(RegistryFailure) as caught:
            pull(store, Reference.parse("registry.example.com/titanic"), options=QUICK)
    assert caught.value.code == "registry_tls"
    assert "--plain-http" in str(caught.value.hint)
    assert {host for host, _ in asked} == {"registry.example.com:443"}


def test_plain_http_is_spoken_when_asked(
    fake: FakeRegistry, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", fake.url)
    monkeypatch.setenv("NO_PROXY", "")
    options = Options(plain_http=True, attempts=1)
    with pytest.raises(Exception, match="has no registry"):
        pull(store, Reference.parse("registry.example.com/titanic"), options=options)
    assert fake.seen[0].headers["Host"] == "registry.example.com"


def test_proxy_is_not_asked_for_loopback(
    fake: FakeRegistry, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    reference = Reference.parse(f"{fake.host}/titanic:1")
    assert push(store, put_bundle(store), reference, options=QUICK).uploaded_bytes > 0


def test_lost_proxy_is_an_error_without_its_password(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:s3cret@127.0.0.1:9")
    with pytest.raises(RegistryFailure) as caught:
        pull(store, Reference.parse("registry.example.com/titanic"), options=QUICK)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.code == "registry_unreachable"
