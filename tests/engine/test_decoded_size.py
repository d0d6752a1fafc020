"""What a value takes is never far more than what was judged before it was decoded."""

import tracemalloc

import orjson
import pytest
import xmltodict

from bff.engine.decoded_size import decoded_size

N = 20_000
BODIES = {
    "empty objects": b"[" + b",".join([b"{}"] * N) + b"]",
    "empty lists": b"[" + b",".join([b"[]"] * N) + b"]",
    "one key": b"[" + b",".join([b'{"":0}'] * N) + b"]",
    "objects in objects": b"[" + b",".join([b'{"a":{"a":{}}}'] * N) + b"]",
    "numbers": b"[" + b",".join(b"%d" % (1000 + n) for n in range(N)) + b"]",
    "floats": b"[" + b",".join(b"0.%d" % n for n in range(N)) + b"]",
    "short texts": b"[" + b",".join(b'"t%d"' % n for n in range(N)) + b"]",
    "one wide text": orjson.dumps("a" * N + "\U0001f600"),
    "one object": orjson.dumps({str(n): n for n in range(N)}),
    "records": orjson.dumps([{"id": n, "name": f"n{n}", "price": n / 3} for n in range(N)]),
}


def taken(make):
    tracemalloc.start()
    value = make()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert value
    return size


@pytest.mark.parametrize("name", list(BODIES))
def test_json(name):
    body = BODIES[name]
    assert decoded_size("json", body) >= taken(lambda: orjson.loads(body))


@pytest.mark.parametrize("inner", [b"<b/>", b"<b><c/></b>", b"<b x='1'/>", b"<b>x</b>"])
def test_xml(inner):
    body = b"<a>" + inner * N + b"</a>"
    assert decoded_size("xml", body) >= taken(lambda: xmltodict.parse(body))


def test_other_kinds():
    assert decoded_size("text", b"abc") == 3
    assert decoded_size("bytes", b"abc") == 6
    assert decoded_size("none", b"abc") == 0
