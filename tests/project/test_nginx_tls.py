"""Who ends TLS: nginx as shipped, something in front of it, or nobody; and whom it believes."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.project.test_nginx import Answer, Backend, Proxy, Teller, backend, render, running

__all__ = ["Teller", "backend"]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for shop.example and its key, made here."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is missing"
    folder.mkdir(exist_ok=True)
    cert, key = folder / "tls.crt", folder / "tls.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-keyout", str(key), "-out", str(cert), "-days", "2"]
    words += ["-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"]
    subprocess.run([openssl, *words], check=True, capture_output=True)  # noqa: S603
    return cert, key


@dataclass
class Secure:
    """nginx that ends TLS, and its port of plain http."""

    proxy: Proxy
    plain: int
    trust: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.trust))

    def connect(self, context: ssl.SSLContext, **options: ssl.SSLSession) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.proxy.port), 10)
        return context.wrap_socket(raw, server_hostname="shop.example", **options)

    def ask(self, path: str, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("shop.example", timeout=10)
        connection.sock = self.connect(self.context())
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        reply = connection.getresponse()
        answer = Answer(reply, reply.read())
        connection.close()
        return answer


@pytest.fixture(scope="module")
def secure(
    root: Path, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = certificate(folder / "tls")
    port, plain = free_port(), free_port()
    render(
        root,
        folder / "etc",
        BFF_NGINX_TLS="on",
        BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
        BFF_NGINX_REDIRECT=f"127.0.0.1:{plain}",
        BFF_NGINX_HTTPS_PORT=8443,
        BFF_NGINX_CERTIFICATE=cert,
        BFF_NGINX_KEY=key,
        BFF_NGINX_UPSTREAM=f"127.0.0.1:{backend.server_port}",
    )
    for proxy in running(Proxy(port, folder / "etc", folder / "errors.log")):
        yield Secure(proxy, plain, cert)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_http_is_sent_on_to_https_and_nothing_else(secure: Secure, method: str) -> None:
    answer = Proxy(secure.plain, secure.proxy.folder, secure.proxy.errors).ask(
        "/web/orders?q=%2F&a=1", method, Host="shop.example:1234", X_Forwarded_Proto="https"
    )
    assert answer.reply.status == 308, "the method is kept"
    assert answer.reply.getheader("Location") == "https://shop.example:8443/web/orders?q=%2F&a=1"


def test_who_names_no_host_is_sent_nowhere(secure: Secure) -> None:
    with socket.create_connection(("127.0.0.1", secure.plain), 10) as line:
        line.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 400 " in line.recv(4096).splitlines()[0]


def test_the_app_is_told_that_it_was_https(secure: Secure) -> None:
    told = secure.ask("/web/home", X_Forwarded_Proto="http", X_Forwarded_For="6.6.6.6").told
    assert told["x-forwarded-proto"] == ["https"]
    assert told["x-forwarded-for"] == ["127.0.0.1"]
    assert told["x-forwarded-port"] == ["8443"], "the port that the client sees"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(secure: Secure, version: ssl.TLSVersion) -> None:
    context = secure.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"(?i)version|alert|protocols"):
        secure.connect(context)


@pytest.mark.parametrize(
    "cipher", ["AES128-SHA256", "ECDHE-ECDSA-AES128-SHA256", "AES256-GCM-SHA384"]
)
def test_no_cipher_is_taken_without_forward_secrecy_and_authentication(
    secure: Secure, cipher: str
) -> None:
    context = secure.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake failure"):
        secure.connect(context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(secure: Secure, version: ssl.TLSVersion) -> None:
    context = secure.context()
    context.minimum_version = context.maximum_version = version
    session = None
    for resumed in (False, True):
        options = {"session": session} if session else {}
        with secure.connect(context, **options) as line:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            while line.recv(4096):
                pass
            assert line.session_reused is resumed
            session = line.session
            assert session
            # A ticket that holds the session itself is longer than a name of one kept here.
            assert not session.has_ticket or version == ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")]
)
def test_http_2_is_offered(secure: Secure, offered: list[str], chosen: str) -> None:
    context = secure.context()
    context.set_alpn_protocols(offered)
    with secure.connect(context) as line:
        assert line.selected_alpn_protocol() == chosen


def test_browsers_are_told_to_stay_with_https(secure: Secure) -> None:
    static = secure.proxy.folder / "static"
    static.mkdir()
    (static / "index.html").write_text("<p>shop")
    for path in ("/", "/cart"):
        answer = secure.ask(path)
        assert answer.body == b"<p>shop"
        assert answer.reply.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    refused = secure.ask("/web/" + "x" * 9000)
    assert (refused.reply.status, json.loads(refused.body)["title"]) == (414, "URI Too Long")
    doubtful = secure.ask("/web/home", Host="a@shop.example")
    assert (doubtful.reply.status, json.loads(doubtful.body)["title"]) == (400, "Bad Request")
    assert refused.reply.getheader("Strict-Transport-Security") == "max-age=31536000"


@pytest.fixture(scope="module")
def behind(
    root: Path, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Proxy]]:
    """nginx behind something that ends TLS: one that believes this address, one that does not."""
    found: dict[str, Proxy] = {}
    chains = []
    for name, trusted in (("believed", "10.0.0.0/8 127.0.0.1"), ("another", "192.0.2.7")):
        folder, port = tmp_path_factory.mktemp(name), free_port()
        render(
            root,
            folder / "etc",
            BFF_NGINX_TLS="before",
            BFF_NGINX_TRUSTED=trusted,
            BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{backend.server_port}",
        )
        chains.append(running(Proxy(port, folder / "etc", folder / "errors.log")))
        found[name] = next(chains[-1])
    yield found
    for chain in chains:
        assert next(chain, None) is None


FORWARDED = {"X_Forwarded_For": "6.6.6.6, 203.0.113.9, 10.1.2.3", "X_Forwarded_Proto": "https"}


def test_what_ends_tls_in_front_is_believed_and_the_client_before_it_is_not(
    behind: dict[str, Proxy],
) -> None:
    told = behind["believed"].ask("/web/home", **FORWARDED, X_Request_Id="evil-evil").told
    assert told["x-forwarded-for"] == told["x-real-ip"] == ["203.0.113.9"]
    assert told["x-forwarded-proto"] == ["https"]
    assert told["x-forwarded-port"] == ["443"]
    assert re.fullmatch("[0-9a-f]{32}", "".join(told["x-request-id"]))


def test_nobody_else_is_believed(behind: dict[str, Proxy]) -> None:
    told = behind["another"].ask("/web/home", **FORWARDED).told
    assert told["x-forwarded-for"] == ["127.0.0.1"]
    assert told["x-forwarded-proto"] == ["http"]


@pytest.mark.parametrize("said", ["http", "https,http", "https http", "wss", ""])
def test_only_https_itself_is_https(behind: dict[str, Proxy], said: str) -> None:
    told = behind["believed"].ask("/web/home", X_Forwarded_Proto=said).told
    assert told["x-forwarded-proto"] == ["http"]


def test_a_way_to_end_tls_that_there_is_not_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render(root, tmp_path / "etc", BFF_NGINX_TLS="yes")
    assert refused.value.returncode == 2
