"""No `return_to` leads away from here, whoever reads it: the open redirects of the advisories."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bff.auth.session.return_to import BadReturn, local_or_allowed

OWN = "https://shop.example"
APP = "https://app.example:8443"
EVIL = "evil.example"

ELSEWHERE = [
    # other origins, plainly
    f"https://{EVIL}",
    f"https://{EVIL}/",
    f"http://{EVIL}/shop.example",
    f"//{EVIL}",
    f"//{EVIL}/%2f..",
    f"///{EVIL}",
    f"////{EVIL}",
    f"//{EVIL}@shop.example",
    "//",
    "///",
    "//%00",
    EVIL,
    f"www.{EVIL}",
    f"{EVIL}:80",
    # the backslash, which browsers read as a slash (GHSA-qqxw-m5fj-f7gv and its kin)
    f"/\\{EVIL}",
    f"/\\/{EVIL}",
    f"\\\\{EVIL}",
    f"\\/{EVIL}",
    f"\\/\\/{EVIL}",
    f"/\\\\{EVIL}",
    f"https:\\\\{EVIL}",
    f"https:/\\{EVIL}",
    f"{OWN}\\@{EVIL}",
    f"{OWN}\\.{EVIL}",
    f"/./\\{EVIL}",
    f"/.\\{EVIL}",
    f"/x/..\\..\\{EVIL}",
    # blanks and controls, which browsers drop
    f"/%09/{EVIL}",
    f"/\t/{EVIL}",
    f"/\n/{EVIL}",
    f"/\r\n/{EVIL}",
    f"\t//{EVIL}",
    f" //{EVIL}",
    f"\x00//{EVIL}",
    f"\x1f//{EVIL}",
    f"/\x00/{EVIL}",
    f"/\x0b/{EVIL}",
    f"/ /{EVIL}",
    f"/%0a/{EVIL}",
    f"/%0d/{EVIL}",
    f"/%00/{EVIL}",
    f"/%7f/{EVIL}",
    f"//\x09/{EVIL}",
    f"ht\ntps://{EVIL}",
    "/a\r\nLocation: https://evil.example",
    "/a\r\nSet-Cookie: x=y",
    "/a%0d%0aSet-Cookie:x=y",
    # percent-encoded, once or more often, for a server that decodes
    f"/%2f{EVIL}",
    f"/%2F{EVIL}",
    f"/%2f%2f{EVIL}",
    f"/%5c{EVIL}",
    f"/%5C%5C{EVIL}",
    f"/%252f{EVIL}",
    f"/%25252f{EVIL}",
    f"/%255c{EVIL}",
    f"/%25%32%66{EVIL}",
    f"/%2e%2e//{EVIL}",
    f"%2f%2f{EVIL}",
    f"%68ttps://{EVIL}",
    # dot segments
    f"/.//{EVIL}",
    f"/..//{EVIL}",
    f"/x/..//{EVIL}",
    f"/x/%2e%2e//{EVIL}",
    f"/x/.%2e//{EVIL}",
    f"/%252e%252e//{EVIL}",
    "/..",
    "/.",
    "/x/../y",
    "/x/./y",
    "..",
    f"../{EVIL}",
    # origins that only look like ours
    f"{OWN}.{EVIL}",
    f"{OWN}.{EVIL}/",
    f"{OWN}{EVIL}",
    f"{OWN}@{EVIL}",
    f"{OWN}:@{EVIL}",
    f"{OWN}:443@{EVIL}",
    f"{OWN}%40{EVIL}",
    f"{OWN}%2f@{EVIL}",
    f"{OWN}%00.{EVIL}",
    f"{OWN};@{EVIL}",
    f"{OWN}&@{EVIL}",
    f"{OWN},{EVIL}",
    "https://evilshop.example",
    "https://shop.examples",
    "https://xshop.example",
    "https://shop-example",
    "https://sub.shop.example/",
    "https://shop.example./",
    "https://SHOP.example/",
    "https://shop.example:443/",
    "https://shop.example:8443/",
    "https://shop.example:/",
    f"https://user@{EVIL}@shop.example",
    f"https://shop.example@shop.example@{EVIL}",
    "https://user:password@shop.example/",
    "https://@shop.example/",
    f"https://{EVIL}#@shop.example",
    f"https://{EVIL}?@shop.example",
    f"https://{EVIL}/shop.example",
    f"https://{EVIL}%23@shop.example",
    "https://app.example",
    "https://app.example:84430/",
    f"https://app.example:8443.{EVIL}",
    f"https://app.example:8443@{EVIL}",
    # letters that become others
    "https://\u017fhop.example/",
    f"https://shop.example\u2024{EVIL}",
    f"https://shop.example\uff0f{EVIL}",
    f"/\uff0f{EVIL}",
    f"\uff0f\uff0f{EVIL}",
    f"/\u2044{EVIL}",
    f"//{EVIL}\u3002shop.example",
    f"/\u200b/{EVIL}",
    f"/\ufeff/{EVIL}",
    f"/\xa0/{EVIL}",
    "/caf\xe9",
    # schemes
    "http://shop.example/",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "javascript://shop.example/%0aalert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://shop.example/x",
    "view-source:https://shop.example/",
    "intent://shop.example/#Intent;end",
    "https:shop.example",
    f"https:{EVIL}",
    f"https:/{EVIL}",
    f"https:///{EVIL}",
    f"https:////{EVIL}",
    "https://",
    "https:",
    "HTTPS://shop.example/",
    "://shop.example/",
    ":",
    # nothing, and what a header or a page cannot hold
    "",
    "#",
    "?x",
    "home",
    "@",
    ".",
    "/<script>",
    '/"onload=',
    f"/x?{'y' * 2048}",
    f"/\ud800{EVIL}",
]

INTO_THE_SIGN_IN = [
    "/auth",
    "/auth/",
    "/auth/login",
    "/auth/login?return_to=/",
    "/auth/callback?code=x&state=y",
    "/auth?x",
    "/auth#x",
    "/AUTH/login",
    "/%61uth/login",
    "/%2561uth/login",
    "/auth%2flogin",
    "/auth/logged-out",
    f"{OWN}/auth/login",
    f"{OWN}/auth",
]

FINE = [
    "/",
    "/home",
    "/orders/7?tab=items#line-2",
    "/?",
    "/#/orders/7",
    "/?next=https://evil.example//x",
    "/search?q=a%0d%0ab%5C%00&r=../..//x",
    "/search?q=100%",
    "/files/a%20b/caf%C3%A9.pdf",
    "/files/a%2Fb",
    "/a//b",
    "/a/",
    "/.well-known/x",
    "/.../x",
    "/..x/y",
    "/@ada",
    "/x:y",
    "/https://evil.example",
    "/a;b=c,d/e!$&'()*+=~_-",
    "/x?a={b}|c^d`e[]",
    "/authors",
    "/authentic/x",
    "/web/auth/x",
    "/x?/auth/login",
    f"/{'x' * 2047}",
    OWN,
    f"{OWN}/",
    f"{OWN}/home?x#y",
    f"{OWN}?x=//evil.example",
    f"{OWN}#x",
    APP,
    f"{APP}/deep/link?x=y",
    f"{APP}/auth/login",  # theirs
]


@pytest.mark.parametrize("value", ELSEWHERE)
def test_what_leads_elsewhere_for_any_reader_is_refused(value):
    with pytest.raises(BadReturn) as refused:
        local_or_allowed(value, OWN, [APP])
    assert refused.value.status == 400
    assert EVIL not in str(refused.value)


@pytest.mark.parametrize("value", INTO_THE_SIGN_IN)
def test_what_leads_into_the_sign_in_again_is_refused(value):
    with pytest.raises(BadReturn):
        local_or_allowed(value, OWN, [APP])


@pytest.mark.parametrize("value", FINE)
def test_what_leads_to_a_place_of_ours_is_taken_as_it_is(value):
    assert local_or_allowed(value, OWN, [APP]) == value
    assert origin_to_browsers(value) in {OWN, APP}


@pytest.mark.parametrize("suffix", ["//evil.example", "/%2f", "/../x", "/%0a", "/\\x", " ", "@x"])
def test_an_allowed_origin_is_no_excuse_for_an_odd_path(suffix):
    with pytest.raises(BadReturn):
        local_or_allowed(APP + suffix, OWN, [APP])


def test_without_allowed_origins_only_ours_is_taken():
    assert local_or_allowed(f"{OWN}/x", OWN, []) == f"{OWN}/x"
    with pytest.raises(BadReturn):
        local_or_allowed(f"{APP}/x", OWN, [])


def test_development_has_origins_with_a_port():
    assert local_or_allowed("http://[::1]:8080/x", "http://[::1]:8080", [])
    with pytest.raises(BadReturn):
        local_or_allowed("http://localhost:80801/x", "http://localhost:8080", [])


def test_however_often_it_is_encoded_it_takes_no_time():
    nested = "/%" + "25" * 1000 + "2f"
    with pytest.raises(BadReturn):
        local_or_allowed(f"{nested}{EVIL}", OWN, [])


def origin_to_browsers(reference):
    """The origin to which a page of ours is sent by this Location (WHATWG URL, section 4.4)."""
    text = re.sub("[\t\n\r]", "", reference.strip("".join(map(chr, range(33)))))
    scheme = re.match("([A-Za-z][A-Za-z0-9+.-]*):", text)
    name = scheme[1].lower() if scheme else "https"
    if name not in {"http", "https"}:
        return f"{name}:"
    rest = text[scheme.end() :] if scheme else text
    slashes = re.match(r"[/\\]*", rest)[0]
    if name == "https" and len(slashes) < 2:
        return OWN
    authority = re.split(r"[/\\?#]", rest[len(slashes) :], maxsplit=1)[0]
    return f"{name}://{authority.rpartition('@')[2].lower()}"


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (f"/\\{EVIL}", f"https://{EVIL}"),
        (f"/\t/{EVIL}", f"https://{EVIL}"),
        (f" \x00//{EVIL}/x", f"https://{EVIL}"),
        (f"https:\\\\{EVIL}", f"https://{EVIL}"),
        (f"{OWN}\\@{EVIL}", OWN),
        (f"{OWN}:x@y@{EVIL}", f"https://{EVIL}"),
        (f"///{EVIL}", f"https://{EVIL}"),
        (f"http:{EVIL}", f"http://{EVIL}"),
        (f"https:{EVIL}", OWN),
        ("java\nscript:x", "javascript:"),
        ("/x//y", OWN),
        ("?//x", OWN),
    ],
)
def test_the_reader_of_these_tests_falls_for_what_browsers_fall_for(value, origin):
    assert origin_to_browsers(value) == origin


PIECES = [
    *"/\\?#@:;.%&=, \t\n\r\x00",
    *("//", "..", "%2f", "%5c", "%09", "%2e", "%25", "%00", "\u3002", "\uff0f", "\xa0", "\ufeff"),
    *("https:", "http:", "javascript:", "HTTPS:", OWN, APP, "shop.example", EVIL, "auth", "x"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=10).map("".join))
@example(f"{OWN}/x")
@example("/x")
def test_whatever_is_taken_stays_at_our_origins_for_every_reader(value):
    try:
        taken = local_or_allowed(value, OWN, [APP])
    except BadReturn:
        return
    assert taken == value
    assert taken.isascii()
    assert taken.isprintable()
    joined = urlsplit(urljoin(f"{OWN}/auth/callback", taken))
    assert f"{joined.scheme}://{joined.netloc}" in {OWN, APP}
    assert origin_to_browsers(taken) in {OWN, APP}
    again = f"{joined.path}?{joined.query}"  # a page that goes on to its own path, as routers do
    assert origin_to_browsers(again) == OWN
    assert not taken.lower().startswith(("/auth/", f"{OWN}/auth/"))
