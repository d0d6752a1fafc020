"""Cookies are read by exact names from the raw header, and set so that browsers guard them."""

import pytest

from bff.auth.session.cookies import clear_cookie, cookie_name, read_cookies, set_cookie
from bff.errors import Ambiguous, SignInFailed

NAME = "__Host-Http-bff"
ID = "rDqL2bYxP0c7mHkz_-9AaTnVwE4sF1uGiJoKlMpQyZ8"


def read(header, name=NAME):
    return read_cookies(header, name).get(name)


@pytest.mark.parametrize(
    "header",
    [
        f"{NAME}={ID}",
        f"a=1; {NAME}={ID}; b=2",
        f"a=1;{NAME}={ID};b=2",
        f"; ;;{NAME}={ID};",
        f" \t{NAME}\t=\t{ID}\t ",
        f'a="x; {NAME}={ID}',  # a quote opens nothing
        f"=; ={ID}; {NAME}={ID}",
        f"{NAME}; {NAME}={ID}",  # no `=`: it has no name
        f"{NAME.lower()}=bad; {NAME}={ID}; {NAME.upper()}=bad",
    ],
)
def test_our_cookie_is_found_among_others(header):
    assert read(header) == ID


@pytest.mark.parametrize(
    "header",
    [
        "",
        NAME,
        f"={NAME}={ID}",  # nameless (CVE-2023-23934): some servers read the value as a name
        f"=={NAME}={ID}",
        f" ={NAME}={ID}",
        f"__host-http-bff={ID}",  # browsers guard a prefix in any case, but set what they like
        f"__HOST-HTTP-BFF={ID}",
        f"__Host-bff={ID}",
        f"bff={ID}",
        f"x{NAME}={ID}",
        f"\x0b{NAME}={ID}",
        f"\x0c{NAME}={ID}",
        f"\x1f{NAME}={ID}",
        f"\x85{NAME}={ID}",  # blanks to Unicode, and to str.strip()
        f"\xa0{NAME}={ID}",
        f"\xe2\x80\x80{NAME}={ID}",  # U+2000 as it comes through WSGI
        f"{NAME}\xa0={ID}",
        f"%5F%5FHost-Http-bff={ID}",
        f"$Version=1,{NAME}={ID}",  # RFC 2965 separates by commas
        f'$Version="1", {NAME}={ID}',
        f"a=1,{NAME}={ID}",
        f"a=1\n{NAME}={ID}",
        f'"{NAME}"={ID}',
    ],
)
def test_what_only_looks_like_our_cookie_is_none(header):
    assert read(header) is None


@pytest.mark.parametrize(
    "value",
    [f'"{ID}"', f"{ID},x", "a b", "a\tb", "a\\b", "a\x00b", "a\x7fb", "a\xe9b", "a\xa0", "a\n"],
)
def test_a_value_that_cannot_be_ours_is_none(value):
    assert read(f"{NAME}={value}") is None


@pytest.mark.parametrize("value", ["", "=", "a=b", "a%20b", "A.b~c"])
def test_a_value_is_neither_decoded_nor_cut(value):
    assert read(f"{NAME}={value}") == value


@pytest.mark.parametrize("values", [(ID, "bad"), ("bad", ID), (ID, ID), ("", ID), ('"', ID)])
def test_two_cookies_of_one_name_are_refused(values):
    first, second = values
    with pytest.raises(Ambiguous) as refused:
        read(f"{NAME}={first}; other=1; {NAME}={second}")
    assert refused.value.status == 400
    assert ID not in str(refused.value)


def test_two_cookies_that_are_not_ours_are_nobodys_business():
    assert read(f"a=1; a=2; {NAME}={ID}; {NAME.lower()}=x; {NAME.lower()}=y") == ID


def test_cookies_of_a_kind_are_found_by_how_they_begin():
    header = f"{NAME}-login-a=1; {NAME}=s; {NAME}-login-b=2; x{NAME}-login-c=3"
    found = read_cookies(header, f"{NAME}-login-")
    assert found == {f"{NAME}-login-a": "1", f"{NAME}-login-b": "2"}


def test_there_is_a_bound_to_what_is_looked_through():
    with pytest.raises(Ambiguous):
        read(f"{NAME}={ID}; " + "a=1; " * 10_000)


@pytest.mark.parametrize("prefix", ["__Host-Http-", "__Host-"])
@pytest.mark.parametrize("loopback", [True, False])
def test_over_https_the_name_has_its_prefix(prefix, loopback):
    assert cookie_name(prefix, "bff", secure=True, loopback=loopback) == f"{prefix}bff"


def test_over_plain_http_this_machine_has_a_name_of_its_own():
    assert cookie_name("__Host-Http-", "bff", secure=False, loopback=True) == "dev-bff"


@pytest.mark.parametrize("secure", [True, False])
def test_names_that_begin_alike_go_on_doing_so(secure):
    kind, one = (
        cookie_name("__Host-", base, secure=secure, loopback=True)
        for base in ("bff-login-", "bff-login-7")
    )
    assert list(read_cookies(f"{one}=x", kind)) == [one]


def test_over_plain_http_nobody_signs_in():
    with pytest.raises(SignInFailed):
        cookie_name("__Host-Http-", "bff", secure=False, loopback=False)


def attributes(cookie):
    """Name, value and attributes as a browser takes them apart (RFC 6265bis, section 5.6)."""
    pair, *rest = cookie.split(";")
    name, _, value = pair.partition("=")
    return (
        name,
        value,
        {
            key.strip().lower(): each.strip()
            for key, _, each in (part.partition("=") for part in rest)
        },
    )


@pytest.mark.parametrize("same_site", ["Strict", "Lax"])
@pytest.mark.parametrize("max_age", [None, 0, 3600])
@pytest.mark.parametrize("prefix", ["__Host-Http-", "__Host-"])
def test_a_cookie_is_set_as_its_prefix_demands(prefix, max_age, same_site):
    name, value, told = attributes(set_cookie(f"{prefix}bff", ID, max_age, same_site))
    assert (name, value) == (f"{prefix}bff", ID)
    assert told.pop("max-age", None) == (None if max_age is None else str(max_age))
    assert told == {"path": "/", "secure": "", "httponly": "", "samesite": same_site}


def test_the_development_cookie_is_the_same_but_not_secure():
    _, _, told = attributes(set_cookie("dev-bff", ID, None, "Lax"))
    assert told == {"path": "/", "httponly": "", "samesite": "Lax"}


@pytest.mark.parametrize("name", [NAME, "dev-bff"])
def test_a_cookie_is_cleared_with_the_attributes_that_it_was_set_with(name):
    cleared, value, told = attributes(clear_cookie(name, "Strict"))
    assert (cleared, value, told.pop("max-age")) == (name, "", "0")
    assert told == attributes(set_cookie(name, ID, None, "Strict"))[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (NAME, "a; Domain=evil.example"),
        (NAME, "a\r\nSet-Cookie: b=c"),
        (NAME, "a b"),
        (NAME, "é"),
        (NAME, '"a"'),
        ("", ID),
        ("a b", ID),
        ("a=b", ID),
        ("a\n", ID),
    ],
)
def test_what_would_be_more_than_a_value_is_not_set(name, value):
    with pytest.raises(ValueError, match="not valid"):
        set_cookie(name, value, None, "Strict")


def test_what_is_set_can_be_read():
    name, value, _ = attributes(set_cookie(NAME, ID, None, "Strict"))
    assert read(f"{name}={value}") == ID
