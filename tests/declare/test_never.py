"""What can never be what was meant is an error at load, and what is doubtful a warning."""

import pytest

ROOT = """\
version: 1
limits: {person: 600/minute}
frontends:
  web: {access: session, languages: [en, de]}
  mobile: {access: session, languages: [en]}
providers:
  shop: {issuer: "https://id.example", client_id: shop, client_secret: "${SECRET}", claims: [plan]}
services:
  users: {url: "http://127.0.0.1:9001", credentials: session}
  stock: {url: "http://127.0.0.1:9002"}
"""
REFUSED = """\
params: {sub: {}}
refuse: [{when: "params.sub != session.sub", status: 403, title: x}]
call: {get: "stock:/{params.sub}"}
"""
PARAMS = """\
params:
  page: {type: integer}
  size: {type: integer, required: false}
  sort: {enum: [price, name]}
  tags: {type: array}
  open: {type: boolean, default: false}
"""
CALL = 'call: {get: "users:/users", query: [page, size, sort, tags, open]}\n'


def problems(folder, **files):
    return folder.problems({"SECRET": "x" * 32}, doubts=True, bff=ROOT, **files)


def errors(folder, **files):
    return [each for each in problems(folder, **files) if not each.warning]


def view(leaf, more=""):
    quoted = leaf.replace("'", "''")
    return f"get: /home\n{PARAMS}{CALL}{more}shape: {{a: '{quoted}', b: call}}\n"


@pytest.mark.parametrize(
    ("leaf", "what"),
    [
        ("params.page == '1'", "a number == a text is always false"),
        ("params.page != 'x'", "is always true"),
        ("params.sort == 'prize'", "`prize` is none of name, price"),
        ("frontend == 'moble'", "`moble` is none of mobile, web"),
        ("locale == 'fr'", "`fr` is none of de, en"),
        ("params.open == 'true'", "true or false == a text is always false"),
        ("params.page == null", "is always false"),
        ("params.open > `1`", "true or false > a number is always null"),
        ("params.page.x", "`x` of a number is always null"),
        ("session.sub.id", "`id` of a text is always null"),
        ("params.sort[0]", "an element of a text is always null"),
        ("params.page[]", "a list is flattened, and this is a number"),
        ("params.page[*].x", "a list is projected, and this is a number"),
        ("params.sort[?a].x", "a list is projected, and this is a text"),
        ("length(params.page)", "`length()` wants a list or an object or a text"),
        ("join(', ', 'a')", "`join()` wants a list, and this is a text"),
        ("add(params.page, 'a')", "`add()` wants a number, and this is a text"),
        ("starts_with(params.page, 'a')", "wants a text, and this is a number"),
        ("length(call).x", "`x` of a number is always null"),
        ("session.signed_in == 'yes'", "is always false"),
        ("call.items[?length(@) == 'a'].x", "is always false"),
    ],
)
def test_an_expression_that_no_request_can_change(folder, leaf, what):
    [problem] = errors(folder, home=view(leaf))
    assert (problem.id, problem.place.file) == ("expression-never", "views/home.yaml")
    assert what in problem.message


@pytest.mark.parametrize(
    "leaf",
    [
        "params.page == `1`",
        "params.sort == 'price'",
        "params.size == null",
        "params.size || `10`",
        "frontend == 'web'",
        "locale == 'de'",
        "session.sub == null",
        "session.claims.plan == 'gold'",
        "call.x == 'a' && call.y == `1`",
        "call.items[?price > `1`].{id: id}",
        "call.a[0].b.c",
        "length(params.tags)",
        "contains(params.tags, 'a')",
        "contains(params.sort, 'a')",
        "params.tags[0]",
        "sort_by(call.items, &price)[0].id",
        "not_null(call.a, call.b)",
        "to_string(params.page)",
        "join(', ', params.tags)",
    ],
)
def test_an_expression_that_may_be_meant(folder, leaf):
    assert errors(folder, home=view(leaf)) == []


@pytest.mark.parametrize(
    ("home", "id_", "what"),
    [
        ('call: {get: "users:/x/{session.claims.tenant}"}', "unknown-claim", "`tenant`"),
        (
            f"{PARAMS}call: {{get: users:/x, each: params.sort, query: [page, size, tags, open]}}",
            "expression-never",
            "repeats over a list",
        ),
        ('call: {get: users:/x, query: {a: "{session.claims}"}}', "path-never-filled", "an object"),
        (
            'params: {t: {type: array}}\ncall: {get: users:/x, headers: {X-T: "{params.t}"}}',
            "path-never-filled",
            "a list",
        ),
        ("call: {get: users:/x, when: \"frontend == 'wbe'\"}", "expression-never", "`wbe`"),
        (
            "call: {get: users:/x}\nrefuse: [{when: \"locale == 'fr'\", status: 403, title: x}]",
            "expression-never",
            "`fr`",
        ),
        (
            "params: {a: {minimum: 3, maximum: 2, type: number}}\ncall: {get: users:/, query: [a]}",
            "wrong-value",
            "3",
        ),
        (
            "params: {a: {minLength: 3, type: integer}}\ncall: {get: users:/x, query: [a]}",
            "key-conflict",
            "`minLength`",
        ),
        ("params: {a: {minimum: 3}}\ncall: {get: users:/x, query: [a]}", "key-conflict", "`mini"),
        (
            "max_calls: 1\ncalls: {a: {get: users:/x}, b: {get: users:/y}}\nshape: {a: a, b: b}",
            "too-many-calls",
            "2",
        ),
    ],
)
def test_what_can_never_work_is_an_error(folder, home, id_, what):
    [problem] = errors(folder, home=f"get: /home\n{home}\n")
    assert problem.id == id_
    assert what in problem.message


@pytest.mark.parametrize(
    ("home", "id_"),
    [
        ("access: public\ncall: {get: stock:/x}", "public-without-limit"),
        (
            'params: {user_id: {}}\ncall: {get: "stock:/x/{params.user_id}"}',
            "owner-from-parameters",
        ),
        (
            'params: {customerId: {}}\ncall: {get: "stock:/x", query: [customerId]}',
            "owner-from-parameters",
        ),
        ("timeout: 1s\ncall: {get: stock:/x}", "slow-required-call"),
        ("params: {a: {}}\ncall: {get: stock:/x}", "unused-parameter"),
        ("call: {get: stock:/x, cache: {ttl: 1m}}", "cache-without-tags"),
        ("call: {get: stock:/x, optional: true, pass: [404]}", "no-effect"),
        ("call: {get: stock:/x, pass: [404], status: {404: null}}", "no-effect"),
        ("call: {get: stock:/x, timeout: 9s}", "no-effect"),
    ],
)
def test_what_is_doubtful_is_a_warning(folder, home, id_):
    change = 'post: /change\naccess: signed_in\ncall: {post: "stock:/x"}\n'
    root = ROOT.replace("limits: {person: 600/minute}\n", "") if "limit" in id_ else ROOT
    found = folder.check(
        {"SECRET": "x" * 32}, bff=root, home=f"get: /home\n{home}\n", change=change
    )
    assert id_ in {each.id for each in found.warnings}


@pytest.mark.parametrize(
    ("home", "id_"),
    [
        ("access: public\ncall: {get: stock:/x}", "public-without-limit"),  # limits has `person`
        (
            'params: {user_id: {}}\ncall: {get: "users:/x/{params.user_id}"}',
            "owner-from-parameters",
        ),
        (
            'params: {user_id: {}}\nrequire: {scope: x}\ncall: {get: "stock:/{params.user_id}"}',
            "owner-from-parameters",
        ),
        (
            REFUSED,
            "owner-from-parameters",
        ),
        ("timeout: 1s\ncall: {get: stock:/x, optional: true}", "slow-required-call"),
        ("timeout: 1s\ncall: {get: stock:/x, timeout: 500ms}", "slow-required-call"),
        ('call: {get: stock:/x, cache: {ttl: 1m, tags: ["x"]}}', "cache-without-tags"),
        ("call: {get: users:/x, cache: {ttl: 1m, scope: person}}", "cache-without-tags"),
    ],
)
def test_what_is_in_order_is_none(folder, home, id_):
    change = 'post: /change\naccess: signed_in\ncall: {post: "stock:/x"}\n'
    found = folder.check(
        {"SECRET": "x" * 32}, bff=ROOT, home=f"get: /home\n{home}\n", change=change
    )
    assert id_ not in {each.id for each in found.warnings}


@pytest.mark.parametrize(
    ("call", "key"),
    [
        ("{post: stock:/x, retry: {retries: 2}}", "retry"),
        ("{post: stock:/x, hedge: 50ms}", "hedge"),
    ],
)
def test_a_key_that_a_write_does_not_take(folder, call, key):
    home = f"post: /home\ncall: {call}\n"
    [problem] = [each for each in problems(folder, home=home) if each.id == "no-effect"]
    assert f"`{key}`" in problem.message


@pytest.mark.parametrize(
    "key",
    [
        "balance: round_robin",
        "eject: {after: 3}",
        "hedge: 3s",
        "retry: {each: 2s}",
        "limit: {calls: 3, wait: 5s}",
        "breaker: {slow: 2s}",
    ],
)
def test_a_key_of_a_service_without_effect(folder, key):
    root = ROOT + f'  more: {{url: "http://127.0.0.1:9003", timeout: 1s, {key}}}\n'
    home = "get: /home\ncall: {get: more:/x, timeout: 500ms}\n"
    found = folder.check({"SECRET": "x" * 32}, bff=root, home=home)
    [problem] = [each for each in found.warnings if each.id == "no-effect"]
    assert f"`{key.partition(':')[0]}`" in problem.message


def test_a_tag_that_nothing_is_cached_under(folder):
    home = 'get: /home\ncall: {get: stock:/x, cache: {ttl: 1m, tags: ["stock:{frontend}"]}}\n'
    change = (
        'post: /change\ninvalidates: ["stok:{frontend}", "stock:web"]\ncall: {post: stock:/x}\n'
    )
    found = folder.check({"SECRET": "x" * 32}, bff=ROOT, home=home, change=change)
    [problem] = [each for each in found.warnings if each.id == "unknown-tag"]
    assert "stok" in problem.message
