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
        "call.{id: id} == null",
        "call.[id, name] == null",
        "(call.items[0].{id: id}) != null",
        "(params.size || `10`) > `3`",
        "call.items[?a == null].{b: b} | [0].b",
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
            "`each` needs a list",
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
            "params: {q: {required: false}}\ncall: {get: users:/x, each: params.q}",
            "expression-never",
            "`each` needs a list",
        ),
        (
            'calls: {a: {get: users:/x}, b: {get: "users:/{a[].id}"}}\nshape: b',
            "path-never-filled",
            "a list",
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


BODY = """\
body:
  type: object
  properties:
    to: {type: object, required: [street], properties: {street: {type: string}}}
call: {post: stock:/x, json: {s: "{body.to.street}"}, when: "body.to.street != null"}
"""


def test_a_field_of_what_a_body_may_leave_out_may_be_null(folder):
    assert errors(folder, home=f"post: /home\n{BODY}") == []
    required = BODY.replace("  type: object\n", "  type: object\n  required: [to]\n", 1)
    [problem] = errors(folder, home=f"post: /home\n{required}")
    assert "a text != null is always true" in problem.message


@pytest.mark.parametrize(
    "shared",
    [
        "when: \"frontend == 'mobile'\"",
        'when: "params.page != null"',
        "query: {desc: \"{params.sort == 'date' || null}\"}",
        "when: \"locale == 'de'\"",
    ],
)
def test_what_a_shared_call_asks_may_be_meant_for_another_view(folder, shared):
    home = "get: /home\nfrontends: [web]\nparams: {page: {type: integer, default: 1}, "
    home += "sort: {enum: [price], default: price}}\ncall: {use: common}\n"
    root = ROOT.replace("[en, de]", "[en]").replace("languages: [en]}\np", "languages: [de]}\np")
    found = folder.problems(
        {"SECRET": "x" * 32}, bff=root, home=home, calls_common=f"get: stock:/x\n{shared}\n"
    )
    assert [each for each in found if not each.warning] == []


def test_a_value_that_is_none_of_those_known_is_named(folder):
    home = "get: /home\nfrontends: [web]\ncall: {get: stock:/x, when: \"frontend == 'wbe'\"}\n"
    [problem] = errors(folder, home=home)
    assert "`wbe` is none of web" in problem.message
    assert problem.hint == "did you mean `web`?"


@pytest.mark.parametrize(
    "leaf",
    [
        "{x: call.id, t: join(',', params.tags)}",
        "[call.x, add(params.page, `1`)]",
        "call.x || slice(params.sort, `0`, `2`)",
        "{x: call.x, who: slice(session.sub, `0`, `2`)}",
        "{x: call.id, l: slice(locale, `0`, `2`)}",
        "{x: call.id, l: replace(frontend, 'w', 'v')}",
    ],
)
def test_a_shape_is_tried_with_all_that_is_there_but_the_calls(folder, leaf):
    call = CALL.replace("get:", "optional: true, get:")
    quoted = leaf.replace("'", "''")
    assert problems(folder, home=f"get: /home\n{PARAMS}{call}shape: {{a: '{quoted}'}}\n") == ()


@pytest.mark.parametrize(
    "more",
    [
        'call: {get: "stock:/{params.user_id}", when: "params.user_id == session.sub"}',
        (
            'call: {get: "stock:/{params.user_id}"}\n'
            "refuse: [{when: \"!contains(session.claims.plan, 'admin')\", status: 403, title: No}]"
        ),
        (
            'calls: {may: {get: "users:/{params.user_id}", guard: true}, '
            'x: {get: "stock:/{params.user_id}"}}\nshape: x'
        ),
    ],
)
def test_an_owner_that_is_compared_with_who_asks_is_none(folder, more):
    found = problems(folder, home=f"get: /home\nparams: {{user_id: {{}}}}\n{more}\n")
    assert "owner-from-parameters" not in {each.id for each in found}


def test_a_parameter_that_a_refreshed_view_has_is_used(folder):
    params = "params: {page: {type: integer, default: 1}}\n"
    found = problems(
        folder,
        home=f"post: /change\n{params}refresh: [list]\ncall: {{post: stock:/x}}\n",
        list=f"get: /list\n{params}call: {{get: stock:/x, query: [page]}}\n",
    )
    assert found == ()


def test_parameters_of_a_view_with_an_error_are_not_called_unused(folder):
    found = problems(folder, home=view("usr.name"))
    assert [each.id for each in found if not each.unsafe] == ["unknown-name"]


@pytest.mark.parametrize(
    ("leaf", "within"),
    [
        ("call[?id == params.sort]", "params.sort"),
        ("call[].{mine: owner == session.sub}", "session.sub"),
        ("call.params.sort", ""),
        ("call[?params.other == 'x']", ""),
        ("lookup(call, 'id', params.sort)", ""),
    ],
)
def test_a_name_of_the_view_within_items_is_doubtful(folder, leaf, within):
    found = [each for each in problems(folder, home=view(leaf)) if each.id == "name-within-items"]
    assert [within] * bool(within) == [each.message.split("`")[1] for each in found]
