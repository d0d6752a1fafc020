"""TLS over real sockets: whom we trust, whom we show ourselves to, and what is told of it."""

import json
import ssl
import subprocess
from pathlib import Path
from time import monotonic

import pytest
from click.testing import CliRunner

from bff.app import create_app
from bff.cli import main
from bff.declare.check import check
from bff.declare.settings import Settings
from bff.errors import BadReply, ConfigError, TimedOut, Unreachable
from bff.model.exchange import Deadline, Request
from bff.model.service import Service, Tls
from bff.model.source import Place
from bff.upstream.exchange import clock_for
from bff.upstream.pool import PoolExchange
from bff.upstream.sockets.exchange import SocketExchange

EXCHANGES = {"pool": PoolExchange, "sockets": SocketExchange}
Exchange = None  # the one that a test runs with
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
SUBJECT = "Acme S3CRET Authority"


@pytest.fixture(autouse=True, params=EXCHANGES)
def _exchange(request, monkeypatch):
    monkeypatch.setattr(request.module, "Exchange", EXCHANGES[request.param])


def openssl(*words):
    command = ["openssl", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


class Authority:
    """A private certificate authority, and what it signs."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.cert, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        extensions = (
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=keyCertSign",
        )
        subject = ("-subj", f"/CN={SUBJECT} {name}", "-days", "2")
        openssl(
            "req", "-x509", *CURVE, *subject, *extensions, "-keyout", self._key, "-out", self.cert
        )

    def sign(self, name, *, names="IP:127.0.0.1", days=2):
        """A certificate and its key."""
        stem = self.folder / f"{self.name}-{name}"
        request, cert, key, more = (
            stem.with_suffix(end) for end in (".csr", ".pem", ".key", ".ext")
        )
        more.write_text(f"subjectAltName={names}\nkeyUsage=digitalSignature\n")
        openssl("req", *CURVE, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signed_by = ("-CA", self.cert, "-CAkey", self._key, "-CAcreateserial", "-extfile", more)
        openssl("x509", "-req", "-in", request, *signed_by, "-days", days, "-out", cert)
        return cert, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "stranger")


@pytest.fixture(scope="module")
def secure(serving):
    """Start a TLS server: `secure(cert, key)`; it answers with the name that the client shows."""

    def start(cert, key, *, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)

        def serve(wire):
            with context.wrap_socket(wire.sock, server_side=True) as wire.sock:
                while wire.head():
                    shown = wire.sock.getpeercert() or {}
                    names = [value for part in shown.get("subject", ()) for _, value in part]
                    body = json.dumps({"client": names, "version": wire.sock.version()}).encode()
                    wire.reply(body, headers=(b"Content-Type: application/json",))

        return f"https://127.0.0.1:{serving(serve).port}"

    return start


@pytest.fixture(scope="module")
def server(authority, secure):
    """A server whose certificate our own authority has signed."""
    return secure(*authority.sign("server"))


def pem(*paths):
    """The TLS of a service, from the paths of its CA, certificate and key."""
    return Tls(*(str(path) if path else None for path in paths))


def ask(url, tls, *, times=1, seconds=10.0):
    """What requests of a service come to, one after the other on one exchange."""
    service = Service("s", Place("bff.yaml", 3, 4), url, 2.0, 1024 * 1024, tls=tls)
    exchange = Exchange({"s": service}, 2)
    mailbox = clock_for(exchange).mailbox()
    try:
        for attempt in range(times):
            exchange.start(
                Request("s", "GET", "/"), Deadline(monotonic() + seconds), attempt, mailbox
            )
            result = mailbox.get(20.0).result
    finally:
        exchange.close()
    return result


def test_a_private_authority_is_trusted_where_it_is_declared(authority, server):
    reply = ask(server, pem(authority.cert), times=3)
    assert reply.status == 200
    assert json.loads(reply.body)["version"] in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("tls", [None, Tls()])
def test_it_is_not_trusted_where_it_is_not(server, tls):
    assert isinstance(ask(server, tls), Unreachable)


def test_another_authority_is_refused(stranger, server):
    error = ask(server, pem(stranger.cert))
    assert isinstance(error, Unreachable)
    assert (error.status, error.reason) == (502, "unreachable")


def test_a_certificate_for_another_name_is_refused(authority, secure):
    url = secure(*authority.sign("other", names="DNS:other.example"))
    assert isinstance(ask(url, pem(authority.cert)), Unreachable)


def test_a_certificate_that_is_over_is_refused(authority, secure):
    url = secure(*authority.sign("over", days=-1))
    assert isinstance(ask(url, pem(authority.cert)), Unreachable)


def test_a_client_certificate_is_shown_where_it_is_demanded(authority, secure):
    cert, key = authority.sign("bff-client")
    url = secure(*authority.sign("demanding"), client_ca=authority.cert)
    reply = ask(url, pem(authority.cert, cert, key), times=2)
    assert json.loads(reply.body)["client"] == ["bff-client"]


def test_a_certificate_and_its_key_may_be_one_file(authority, secure, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(each.read_bytes() for each in authority.sign("one-file")))
    url = secure(*authority.sign("demanding2"), client_ca=authority.cert)
    assert json.loads(ask(url, pem(authority.cert, both)).body)["client"] == ["one-file"]


def test_without_the_client_certificate_that_is_demanded_nothing_comes(authority, stranger, secure):
    url = secure(*authority.sign("demanding3"), client_ca=authority.cert)
    assert isinstance(ask(url, pem(authority.cert)), Unreachable)
    assert isinstance(ask(url, pem(authority.cert, *stranger.sign("x"))), Unreachable)


def test_a_client_certificate_is_not_shown_to_whom_we_do_not_trust(authority, stranger, secure):
    cert, key = authority.sign("bff-client2")
    url = secure(*stranger.sign("false"), client_ca=authority.cert)
    assert isinstance(ask(url, pem(authority.cert, cert, key)), Unreachable)


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody"


@pytest.mark.parametrize(
    ("reply", "notified", "whole"),
    [
        (CLOSED, True, True),
        (CLOSED, False, False),
        (b"HTTP/1.0 200 OK\r\n\r\nbody", False, False),
        (LENGTH, False, True),
        (CHUNKS, False, True),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_without_close_notify_a_reply_has_to_say_its_length(
    serving, authority, reply, notified, whole, streamed
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign(f"ragged-{len(reply)}"))

    def serve(wire):
        with context.wrap_socket(wire.sock, server_side=True) as wire.sock:
            wire.head()
            wire.sock.sendall(reply)
            if notified:
                wire.sock.unwrap()

    url, tls = f"https://127.0.0.1:{serving(serve).port}", pem(authority.cert)
    result = streamed_from(url, tls) if streamed else ask(url, tls)
    if whole:
        assert getattr(result, "body", result) == b"body"
    else:
        assert isinstance(result, BadReply)
        assert "close_notify" in str(result)


def streamed_from(url, tls):
    service = Service("s", Place("bff.yaml", 3, 4), url, 2.0, 1024 * 1024, tls=tls)
    exchange = Exchange({"s": service}, 2)
    incoming = exchange.stream(Request("s", "GET", "/"), None, 5.0)
    try:
        return b"".join(incoming)
    except BadReply as error:
        return error
    finally:
        incoming.close()
        exchange.close()


def test_a_handshake_that_never_ends_is_given_up(serving, authority):
    url = f"https://127.0.0.1:{serving(lambda wire: wire.until_left()).port}"
    begun = monotonic()
    assert isinstance(ask(url, pem(authority.cert), seconds=0.3), TimedOut)
    assert monotonic() - begun < 5


def test_a_server_that_speaks_no_tls_is_unreachable(serving, authority):
    url = f"https://127.0.0.1:{serving(lambda wire: wire.reply()).port}"
    assert isinstance(ask(url, pem(authority.cert)), Unreachable)


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 3_000_000])
def test_bodies_of_many_records_come_whole(serving, authority, size):
    """TLS holds decrypted bytes that the socket knows nothing of."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign(f"large-{size}"))

    def serve(wire):
        with context.wrap_socket(wire.sock, server_side=True) as wire.sock:
            while head := wire.head():
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                while len(wire.buffer) < length:
                    wire.buffer += wire.sock.recv(65536)
                body, wire.buffer = wire.buffer, b""
                wire.reply(body)

    service = Service(
        *("s", Place("bff.yaml", 3, 4), f"https://127.0.0.1:{serving(serve).port}"),
        *(20.0, 8 * 1024 * 1024),
        tls=pem(authority.cert),
    )
    exchange = Exchange({"s": service}, 2)
    mailbox, body = clock_for(exchange).mailbox(), b"0123456789abcdef" * (size // 16 + 1)
    for attempt in range(3):
        request = Request("s", "POST", "/", body=body[:size])
        exchange.start(request, Deadline(monotonic() + 20), attempt, mailbox)
        assert mailbox.get(20).result.body == body[:size]
    exchange.close()


def test_the_handshake_has_its_own_step(authority, server):
    service = Service(
        "s", Place("bff.yaml", 3, 4), server, 2.0, 1024 * 1024, tls=pem(authority.cert)
    )
    exchange = Exchange({"s": service}, 2, traced=True)
    mailbox = clock_for(exchange).mailbox()
    timings = []
    for attempt in range(2):
        exchange.start(Request("s", "GET", "/"), Deadline(monotonic() + 10), attempt, mailbox)
        timings.append(mailbox.get(20).events.timings(0, monotonic()))
    exchange.close()
    assert 0 < timings[0].tls < timings[0].connect
    assert timings[1].tls is timings[1].connect is None


# -- the whole product -------------------------------------------------------------------------


def declared(folder, url, tls=None, **more):
    """A folder that declares one view and one service."""
    service = {"url": url, **({"tls": tls} if tls else {}), **more}
    root = {"version": 1, "frontends": {"web": {"access": "none"}}, "services": {"s": service}}
    (folder / "bff.yaml").write_text(json.dumps(root))
    (folder / "views").mkdir(exist_ok=True)
    (folder / "views/page.yaml").write_text("get: /page\ncall: {get: s:/x}\n")
    return folder


def answered(folder):
    checked = check(folder, {})
    exchange = Exchange(checked.config.services, 2)
    try:
        app = create_app(checked, Settings(management_bind=None), exchange=exchange)
        return app.test_client().get("/web/page")
    finally:
        exchange.close()


def test_a_view_over_tls(authority, secure, tmp_path):
    cert, key = authority.sign("whole")
    url = secure(*authority.sign("server2"), client_ca=authority.cert)
    tls = {"ca": str(authority.cert), "cert": str(cert), "key": str(key)}
    answer = answered(declared(tmp_path, url, tls))
    assert (answer.status_code, answer.get_json()["client"]) == (200, ["whole"])


def test_nothing_of_a_certificate_is_in_the_answer(stranger, server, tmp_path):
    answer = answered(declared(tmp_path, server, {"ca": str(stranger.cert)}))
    assert answer.status_code == 502
    assert answer.headers["BFF-Calls"] == "call=failed;reason=unreachable"
    told = f"{answer.text} {answer.headers}".lower()
    for word in (
        "s3cret",
        "certificate",
        "ssl",
        "tls",
        "127.0.0.1",
        "pem",
        "issuer",
        str(tmp_path),
    ):
        assert word not in told
    assert answer.get_json()["reason"] == "unreachable"


BROKEN = {
    "ca that is not there": {"ca": "{folder}/nothing.pem"},
    "ca that is no certificate": {"ca": "{folder}/bff.yaml"},
    "certificate that is not there": {"ca": "{ca}", "cert": "{folder}/nothing.pem"},
    "key of another": {"ca": "{ca}", "cert": "{cert}", "key": "{other}"},
    "certificate without its key": {"ca": "{ca}", "cert": "{cert}"},
}


def filled(tls, folder, authority):
    cert, _ = authority.sign("broken")
    names = {
        "folder": folder,
        "ca": authority.cert,
        "cert": cert,
        "other": authority.sign("wrong")[1],
    }
    return {name: text.format(**names) for name, text in tls.items()}


@pytest.mark.parametrize("tls", BROKEN.values(), ids=BROKEN)
def test_files_that_cannot_be_used_are_told_when_a_worker_starts(tls, authority, tmp_path):
    folder = declared(tmp_path, "https://127.0.0.1:1", filled(tls, tmp_path, authority))
    with pytest.raises(ConfigError) as caught:
        create_app(check(folder, {}), Settings(management_bind=None))
    assert "certificates of `s`" in str(caught.value)


def test_files_that_cannot_be_used_are_told_by_check(tmp_path):
    tls = {"ca": str(tmp_path / "nothing.pem")}
    with pytest.raises(ConfigError, match="`s`"):
        check(declared(tmp_path, "https://127.0.0.1:1", tls), {})


def test_a_key_alone_is_a_mistake(authority, tmp_path):
    _, key = authority.sign("alone")
    with pytest.raises(ConfigError, match="key"):
        check(declared(tmp_path, "https://127.0.0.1:1", {"key": str(key)}), {})


def test_tls_of_a_service_that_is_asked_without_it_is_a_mistake(authority, tmp_path):
    try:
        problems = check(
            declared(tmp_path, "http://127.0.0.1:1", {"ca": str(authority.cert)}), {}
        ).warnings
    except ConfigError as error:
        problems = error.problems
    assert any("tls" in problem.message.lower() for problem in problems)


# -- our own credentials -----------------------------------------------------------------------


BASIC = {"basic": {"user": "bff", "password": "${file:secret}"}}
API_KEY = {"api_key": {"value": "${file:secret}"}}
ENCODED = "YmZmOnMzY3JldC1rZXk="  # bff:s3cret-key


@pytest.mark.parametrize("credentials", [BASIC, API_KEY], ids=["basic", "api_key"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_credentials_are_never_explained(credentials, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("s3cret-key\n")
    declared(tmp_path, "http://127.0.0.1:1", credentials=credentials)
    for words in (["explain", "page", *form], ["check", *form], ["routes"]):
        done = CliRunner().invoke(main, [*words, "--config", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert "s3cret" not in done.output
        assert ENCODED not in done.output
    service = check(tmp_path, {}).config.services["s"]
    assert "s3cret" in str(service.secret) or ENCODED in str(service.secret)
    assert "s3cret" not in repr(service)
    assert ENCODED not in repr(service)
