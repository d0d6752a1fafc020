"""Where a raw target may lead: only below the relay's own path, whoever reads it."""

import pytest

from bff.errors import RequestRefused
from bff.web.target import Route, rewrite_target

FILES = Route(("web", "files", "{path...}"), ("v1", "{path...}"))
INVOICE = Route(("web", "orders", "{id}", "invoice"), ("invoices", "{id}"))

LEADS = [
    ("/web/files/a", "/v1/a"),
    ("/web/files/a/b/c.txt", "/v1/a/b/c.txt"),
    ("/web/files/a/", "/v1/a/"),
    ("/web/files/%61", "/v1/a"),
    ("/web/files/a%20b", "/v1/a%20b"),
    ("/web/files/%C3%BC", "/v1/%C3%BC"),
    ("/web/files/a;b=c", "/v1/a%3Bb=c"),
    ("/web/files/a%3bb", "/v1/a%3Bb"),
    ("/web/files/a%3fb", "/v1/a%3Fb"),
    ("/web/files/a%23b", "/v1/a%23b"),
    ("/web/files/100%25", "/v1/100%25"),
    ("/web/files/a..b", "/v1/a..b"),
    ("/web/files/.hidden", "/v1/.hidden"),
    ("/web/files/...", "/v1/..."),
    ("/web/files/a?b=c&d=%2e%2e/x", "/v1/a?b=c&d=%2e%2e/x"),
    ("/web/files/a?", "/v1/a?"),
    ("/web/files/a?q=[x]|y", "/v1/a?q=%5Bx%5D%7Cy"),
    ("/web/files/a@b:c,d=e", "/v1/a@b:c,d=e"),
]
LEADS_NOWHERE = [
    "/web/files/..",
    "/web/files/../home",
    "/web/files/a/../../home",
    "/web/files/.",
    "/web/files/./a",
    "/web/files/%2e%2e/a",
    "/web/files/%2E%2e",
    "/web/files/.%2e/a",
    "/web/files/%2e./a",
    "/web/files/%252e%252e/a",
    "/web/files/%25252e%25252e/a",
    "/web/files/%2525252e/a",
    "/web/files/..;/a",
    "/web/files/..;x=y/a",
    "/web/files/%2e%2e;/a",
    "/web/files/..%3b/a",
    "/web/files/;/a",
    "/web/files/.;/a",
    "/web/files//a",
    "/web/files/a//b",
    "/web/files//",
    "/web/files/a%2fb",
    "/web/files/a%2Fb",
    "/web/files/%2f",
    "/web/files/a%252fb",
    "/web/files/a%5cb",
    "/web/files/a\\b",
    "/web/files/..%5c..%5c",
    "/web/files/a%00b",
    "/web/files/a%0d%0ab",
    "/web/files/a%7f",
    "/web/files/%",
    "/web/files/%zz",
    "/web/files/%c0%ae%c0%ae/a",
    "/web/files/%ff",
    "/web/files/%ef%bc%8e%ef%bc%8e/a",
    "/web/files/a%ef%bc%8fb",
    "/web/files/%e2%80%a5/a",
    "/web/files/%20/a",
    "/web/files/..%20/a",
    "/web/files/a b",
    "/web/files/a#b",
    "/web/%66iles/a",
    "/Web/files/a",
    "/web/filesystem",
    "/web//files/a",
    "//web/files/a",
    "/web",
    "/",
    "",
    "*",
    "web/files/a",
    "http://evil.example/web/files/a",
    "//evil.example/web/files/a",
    "/web/files/\xfc",
]


@pytest.mark.parametrize(("raw", "target"), LEADS)
def test_a_path_below_the_tree_leads_to_the_same_below_the_service(raw, target):
    assert rewrite_target(raw, FILES) == target


@pytest.mark.parametrize("raw", LEADS_NOWHERE)
def test_what_any_server_could_read_as_elsewhere_leads_nowhere(raw):
    with pytest.raises(RequestRefused):
        rewrite_target(raw, FILES)


def test_a_name_stands_for_one_segment():
    assert rewrite_target("/web/orders/7/invoice", INVOICE) == "/invoices/7"


@pytest.mark.parametrize(
    "raw", ["/web/orders/7", "/web/orders/7/invoice/x", "/web/orders//invoice"]
)
def test_a_path_that_is_longer_or_shorter_than_declared_leads_nowhere(raw):
    with pytest.raises(RequestRefused):
        rewrite_target(raw, INVOICE)
