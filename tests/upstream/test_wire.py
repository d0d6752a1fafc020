"""What a service receives: exactly the request that was made, byte for byte, or nothing."""

from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bff.declare.config import assemble
from bff.declare.load import parse
from bff.engine.fanout import fan_out
from bff.errors import Unfillable
from bff.model.exchange import Reply
from bff.plan.compile import compile_call
from tests.examples import examples

ROOT = 'version: 1\nfrontends: {web: {access: none}}\nservices: {s: {url: "http://h"}}\n'
VIEW = """
get: /home
call:
  get: "s:/a/{v[0]}/x-{v[1]}/end"
  query: {q: "{v[2]}", fixed: "1", "n&=": "{v[3]}"}
  headers: {X-One: "{v[4]}", X-Two: "two {v[5]}"}
"""
VALUE = st.text(st.characters(codec=None), max_size=8) | st.lists(
    st.sampled_from(
        [
            "..",
            "/",
            "%2e",
            "%2F",
            "%",
            ";",
            "?",
            "#",
            "&",
            "=",
            "+",
            " ",
            "\r\n",
            "\x00",
            "\\",
            "a: b",
            "é",
            "\u2028",
            "�",
            "😀",
            "\x7f",
            "\x85",
            "\xa0",
            "[",
            "]",
            "^",
            "|",
            '"',
        ]
    ),
    max_size=5,
).map("".join)
NAMES = {"host", "user-agent", "accept-encoding", "accept", "x-one", "x-two"}


@pytest.fixture(scope="module")
def call():
    config = assemble(parse(ROOT, "bff.yaml", {}), {"home": parse(VIEW, "home.yaml", {})}, {})
    return compile_call(config.views[0].calls[0], config.services["s"])


@pytest.fixture(scope="module")
def heads():
    return []


@pytest.fixture(scope="module")
def asked(serving, asking, heads):
    def serve(wire):
        while head := wire.head():
            heads.append(head)
            wire.reply()

    return asking(s=serving(serve).url)


def encoded(text):
    """A header's value as it is sent; bytes of a client that are no UTF-8 stay what they were."""
    return text.encode("utf-8", "surrogateescape")


def taken_apart(head):
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    assert (method, version) == (b"GET", b"HTTP/1.1")
    headers = [line.split(b":", 1) for line in lines]
    return target.decode("ascii"), {name.lower().decode(): value for name, value in headers}, lines


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(VALUE, min_size=6, max_size=6))
@example(["x", "x", "x", "x", "x", "\ud800"])
@example(["x", "x", "x", "x", "\r\nX-Evil: 1", "x"])
@example(["%2e%2e", "..", "%", "+", "é", "é"])
@example([";", "a;b", "a b", "\0", "", ""])
def test_any_values_arrive_in_their_places_or_nothing_is_sent(call, asked, heads, values):
    heads.clear()
    try:
        (unit,) = fan_out(call, {"v": values}, ()).units
    except Unfillable:
        return
    request = unit.request
    result = asked.ask(request.target, headers=request.headers)
    assert isinstance(result, Reply), f"made, and then not sent: {result!r}"
    (head,) = heads
    target, headers, lines = taken_apart(head)
    assert target == request.target
    path, _, query = target.partition("?")
    segments = [unquote(each, errors="strict") for each in path.split("/")]
    assert segments == ["", "a", values[0], f"x-{values[1]}", "end"]
    pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    assert pairs == [("q", values[2]), ("fixed", "1"), ("n&=", values[3])]
    assert len(lines) == len(headers), "no header stands twice"
    assert headers.keys() == NAMES
    assert headers["x-one"].strip(b" \t") == encoded(values[4].strip(" \t"))
    assert headers["x-two"].strip(b" \t") == encoded(f"two {values[5]}".strip(" \t"))


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//",
        "//evil.example/x",
        "/a//b/",
        "/...",
        "/a/%2E/x",
        "/%2e%2e/x",
        "/a;v=1,2/b!$&'()*+,;=:@-._~",
        "/%C3%A9?q=%20%2B%26%3D%23%00%0D%0A",
        "/?",
        "/?a=1&a=2&b",
        "/?a=%5B%5D%7B%7D%7C%5C%5E%60%22%3C%3E",
        "/?q=%",
        "/" + "a" * 60_000,
    ],
)
def test_the_target_on_the_wire_is_the_requests_byte_for_byte(asked, heads, target):
    heads.clear()
    assert isinstance(asked.ask(target), Reply)
    assert [head.split(b" ")[1].decode() for head in heads] == [target]


def test_paths_stand_below_the_services_own(serving, asking):
    heads = []

    def serve(wire):
        heads.append(wire.head())
        wire.reply()

    made = asking(s=serving(serve).url + "/base/v%201")
    assert made.ask("/a?b=%2F").status == 200
    assert heads[0].split(b" ")[1] == b"/base/v%201/a?b=%2F"


@pytest.mark.parametrize("name", ["user-agent", "host", "accept"])
def test_a_declared_header_takes_the_place_of_ours(asked, heads, name):
    heads.clear()
    asked.ask("/", headers=((name, "identity"),))
    _, _, lines = taken_apart(heads[0])
    found = [line for line in lines if line.lower().startswith(name.encode() + b":")]
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("method", "body"), [("POST", b'{"a":1}'), ("PUT", b""), ("DELETE", b""), ("HEAD", b"")]
)
def test_methods_and_bodies(serving, asking, method, body):
    seen = []

    def serve(wire):
        head = wire.head()
        while len(wire.buffer) < len(body):
            wire.buffer += wire.sock.recv(100)
        seen.append((head.split(b" ")[0].decode(), wire.buffer))
        wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    reply = asking(s=serving(serve).url).ask("/", method=method, body=body)
    assert (reply.status, reply.body) == (204, b"")
    assert seen == [(method, body)]
