"""What all answers below `/auth` have in common, whatever they answer and to whom."""

import pytest

from tests.web.access.test_sign_in import Browser, site  # noqa: F401 - the fixture of that site

ENDPOINTS = [
    ("GET", "/auth/login"),
    ("GET", "/auth/login/shop"),
    ("GET", "/auth/login/unknown"),
    ("GET", "/auth/callback"),
    ("GET", "/auth/callback/shop"),
    ("GET", "/auth/session"),
    ("GET", "/auth/sessions"),
    ("GET", "/auth/logged-out"),
    ("GET", "/auth/logout/provider"),
    ("GET", "/auth/logout"),
    ("POST", "/auth/login"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/backchannel-logout"),
    ("DELETE", "/auth/sessions"),
    ("DELETE", "/auth/sessions/unknown"),
    ("HEAD", "/auth/session"),
    ("OPTIONS", "/auth/session"),
    ("GET", "/auth/session/x.css"),
    ("GET", "/auth/nowhere"),
]


@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_no_answer_is_stored_and_each_varies_by_the_cookie(site, method, path, signed_in):  # noqa: F811
    for headers in ({}, {"X-CSRF": "2"}, {"Accept": "text/html"}):
        browser = Browser(site)
        if signed_in:
            browser.sign_in()
        reply = browser.get(path, method, headers)
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Cookie" in reply.headers["Vary"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/session"),
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions"),
        ("POST", "/auth/logout"),
    ],
)
def test_a_session_and_a_token_at_once_are_400_here_too(site, method, path, scheme):  # noqa: F811
    browser = Browser(site)
    browser.sign_in()
    both = browser.get(path, method, {"Authorization": f"{scheme} x.y.z"})
    assert both.status_code == 400
    assert browser.get("/auth/session").json["authenticated"] is True
