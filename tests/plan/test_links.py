"""Links and redirects: where they may lead, and that no spelling of one leads elsewhere."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bff.errors import BadReply
from bff.model.exchange import Reply, Request
from bff.model.service import Links, Service
from bff.model.source import Place
from bff.plan.links import redirected, target_of
from tests.examples import examples

ORIGIN = "http://users.internal:8000"
OTHER = "https://users.example"


def service(url=ORIGIN, links=None, *, redirects=True):
    return Service("users", Place("t"), url, 1.0, 1024, links=links, redirects=redirects)


PLAIN = service(links=Links((OTHER,), "/v2"))
BELOW = service(f"{ORIGIN}/api", Links((), "/api/v2"))

GOOD = [
    (PLAIN, "/v2", "/v2"),
    (PLAIN, "/v2/", "/v2/"),
    (PLAIN, "/v2/orders/7?page=2&x=a%2Fb", "/v2/orders/7?page=2&x=a%2Fb"),
    (PLAIN, "/v2/a%20b;c=d/%C3%B6", "/v2/a%20b;c=d/%C3%B6"),
    (PLAIN, "/v2/x#fragment", "/v2/x"),
    (PLAIN, "/v2/x?", "/v2/x"),
    (PLAIN, "/v2/x?to=/../admin", "/v2/x?to=/../admin"),
    (PLAIN, "v2/x", "/v2/x"),
    (PLAIN, "/v2/a/../b", "/v2/b"),
    (PLAIN, "/v2//../b", "/v2/b"),
    (PLAIN, "/v2/..a/...", "/v2/..a/..."),
    (PLAIN, f"{ORIGIN}/v2/x", "/v2/x"),
    (PLAIN, f"{OTHER}/v2/x?a=1", "/v2/x?a=1"),
    (PLAIN, "//users.internal:8000/v2/x", "/v2/x"),
    (BELOW, "/api/v2/x", "/v2/x"),
    (BELOW, f"{ORIGIN}/api/v2/x?y", "/v2/x?y"),
    (service(links=Links()), "/", "/"),
    (service(links=Links()), "/x", "/x"),
    (service(links=Links((OTHER,))), OTHER, "/"),
]


@pytest.mark.parametrize(("of", "link", "wanted"), GOOD)
def test_links_that_are_followed(of, link, wanted):
    assert target_of(link, of) == wanted


BAD = [
    None,
    7,
    True,
    "",
    ["/v2/x"],
    {"href": "/v2/x"},
    "/v2/" + "x" * 3000,
    # other origins
    "http://evil.example/v2/x",
    "//evil.example/v2/x",
    "https://users.internal:8000/v2/x",
    "http://users.internal/v2/x",
    "http://users.internal:80/v2/x",
    "http://users.internal:8000@evil.example/v2/x",
    "http://evil@users.internal:8000/v2/x",
    "http://users.internal:8000.evil.example/v2/x",
    "http://evil.example#@users.internal:8000/v2/x",
    "http://evil.example?@users.internal:8000/v2/x",
    "http://[::1/v2/x",
    "https://users.example./v2/x",
    "https://xusers.example/v2/x",
    "javascript:alert(1)",
    "file:///v2/x",
    "data:,x",
    "mailto:a@users.example",
    "/\\evil.example/v2/x",
    "\\\\evil.example/v2/x",
    "http:\\\\evil.example/v2/x",
    "///evil.example/v2/x",
    "////evil.example/v2/x",
    # out of what is declared
    "/",
    "/admin",
    "/v2x",
    "/v",
    "/V2/x",
    "/%76%32/x",
    "//v2/x",
    "?x=1",
    "#x",
    # dot segments
    "/v2/..",
    "/v2/../admin",
    "/v2/./../admin",
    "/v2/x/../../admin",
    "/v2/%2e%2e/admin",
    "/v2/%2E./admin",
    "/v2/.%2e",
    "/v2/%2e",
    "/v2/..%2fadmin",
    "/v2/..%2Fadmin",
    "/v2%2f..%2fadmin",
    "/v2/..%5cadmin",
    "/v2/%5c../admin",
    "/v2/..;/admin",
    "/v2/..;a=b/admin",
    "/v2/%252e%252e/admin",
    "/v2/%252e%252e%252fadmin",
    "/v2/%25252e%25252e/admin",
    "/v2/%2525252e%2525252e/admin",
    "/v2/%%32e%%32e/admin",
    "/v2/%2%65%2%65/admin",
    "/v2//x",
    "/v2/%2f/x",
    # what is no URL
    "/v2/a b",
    "/v2/a\tb",
    "/v2/a\r\nX-Evil: 1",
    "/v2/a\0b",
    "/v2/\u00f6",
    "/v2/\ufe0e\u2024\u2024/admin",
    "/v2/<script>",
    '/v2/"x"',
    "/v2/{x}",
    " /v2/x",
    "/v2/x\n",
    "\u200b/v2/x",
]


@pytest.mark.parametrize("link", BAD, ids=range(len(BAD)))
def test_links_that_are_not_followed(link):
    with pytest.raises(BadReply) as caught:
        target_of(link, PLAIN)
    assert "evil" not in str(caught.value)


def test_a_service_without_links_has_none():
    with pytest.raises(BadReply):
        target_of("/x", service())


@pytest.mark.parametrize(
    "link", ["/v2/x", "/api/x", "/apiv2/x", "/api/../api/v1", f"{OTHER}/api/v2"]
)
def test_links_out_of_the_address_of_the_service(link):
    with pytest.raises(BadReply):
        target_of(link, BELOW)


@pytest.mark.parametrize(
    ("base", "link", "wanted"),
    [
        ("/v2/orders/7", "8", "/v2/orders/8"),
        ("/v2/orders/7?x=1", "?page=2", "/v2/orders/7?page=2"),
        ("/v2/orders/7", "../people", "/v2/people"),
        ("/v2/orders/", "./7", "/v2/orders/7"),
        ("/v2/orders", "/v2/x", "/v2/x"),
    ],
)
def test_relative_links_start_where_they_stood(base, link, wanted):
    assert target_of(link, PLAIN, base) == wanted


@pytest.mark.parametrize("link", ["../..", "../../admin", "../%2e%2e/admin"])
def test_relative_links_do_not_climb_out(link):
    with pytest.raises(BadReply):
        target_of(link, PLAIN, "/v2/orders/7")


# -- any link at all -------------------------------------------------------------------------


def remove_dot_segments(path):
    """RFC 3986, section 5.2.4, step by step."""
    output = []
    while path:
        if path.startswith("../"):
            path = path[3:]
        elif path.startswith(("./", "/./")):
            path = path[2:]
        elif path == "/.":
            path = "/"
        elif path.startswith("/../"):
            path = path[3:]
            del output[-1:]
        elif path == "/..":
            path = "/"
            del output[-1:]
        elif path in {".", ".."}:
            path = ""
        else:
            end = path.find("/", 1)
            end = len(path) if end < 0 else end
            output.append(path[:end])
            path = path[end:]
    return "".join(output)


def places(path):
    """Everywhere that a server may take a path to be: decoded often, its dots removed, or both."""
    for _ in range(12):
        for seen in (path, path.replace("\\", "/")):
            yield seen
            yield remove_dot_segments(seen)
            yield remove_dot_segments("/".join(each.split(";")[0] for each in seen.split("/")))
        decoded = unquote(path, errors="replace")
        if decoded == path:
            return
        path = decoded


DOTS = (".", "..", "%2e", "%2E", "%25", "25", "2e", "%", "/", "//", "%2f", "2f", "\\", "%5c", ";")
PIECES = st.sampled_from((*DOTS, "v2", "/v2/", "x", "?", "#", "@", ":", "http:", ORIGIN, OTHER))
LINKS = (
    st.lists(PIECES, max_size=14).map("".join)
    | st.lists(PIECES, max_size=14).map(lambda pieces: "/v2/" + "".join(pieces))
    | st.lists(PIECES, max_size=9).map(lambda pieces: f"{OTHER}/v2/" + "".join(pieces))
    | st.text(max_size=30)
)


@given(LINKS, st.sampled_from([PLAIN, BELOW]), st.sampled_from(["/", "/v2/a/b", "/v2/?q"]))
@example("/v2/%25252e%25252e/admin", PLAIN, "/")
@example("/v2/%2525252e%2525252e%2525252fadmin", PLAIN, "/")
@settings(max_examples=examples(2000), deadline=None)
def test_no_link_ever_leaves_what_is_declared(link, of, base):
    try:
        target = target_of(link, of, base)
    except BadReply:
        return
    assert target.startswith(("/", "?")) or not target
    whole = urlsplit(of.url + target)
    assert f"{whole.scheme}://{whole.netloc}" == ORIGIN
    assert target.isascii()
    assert target.isprintable()
    for seen in places(whole.path):
        assert seen == of.links.under or seen.startswith(f"{of.links.under}/"), seen


# -- redirects -------------------------------------------------------------------------------


def moved(status=302, location="/v2/there", method="GET", of=PLAIN):
    headers = (("accept", "a"), ("content-type", "application/json"), ("authorization", "b"))
    request = Request("users", method, "/v2/here?x=1", headers, b"{}" if method == "POST" else b"")
    found = () if location is None else (("location", location),)
    return redirected(request, Reply(status, found, b""), of)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_a_get_are_followed(status):
    request = moved(status)
    assert (request.method, request.target) == ("GET", "/v2/there")
    assert ("authorization", "b") in request.headers


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 404])
def test_other_statuses_are_no_redirects(status):
    assert moved(status) is None


def test_without_a_location_or_leave_nothing_is_followed():
    assert moved(location=None) is None
    assert moved(of=service(links=Links(), redirects=False)) is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_write_is_never_sent_again(status):
    assert moved(status, method="POST") is None


def test_after_a_write_303_is_a_get_without_its_body():
    request = moved(303, method="POST")
    assert (request.method, request.target, request.body) == ("GET", "/v2/there", b"")
    assert dict(request.headers) == {"accept": "a", "authorization": "b"}  # RFC 9110, 15.4


def test_a_head_stays_a_head():
    assert moved(303, method="HEAD").method == "HEAD"


@pytest.mark.parametrize("location", ["http://evil.example/", "/admin", "../../admin", ""])
def test_redirects_elsewhere_are_bad_replies(location):
    with pytest.raises(BadReply):
        moved(location=location)


def test_a_redirect_is_relative_to_what_was_asked():
    assert moved(location="there?y=2").target == "/v2/there?y=2"
