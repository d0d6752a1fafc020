"""Common mistakes, made on purpose: each is answered with what to write instead."""

import pytest

ROOT = """\
version: 1
frontends:
  web: {access: session}
providers:
  shop: {issuer: "https://id.example", client_id: shop, client_secret: "${SECRET}", claims: [plan]}
services:
  users: {url: "http://127.0.0.1:9001"}
"""
VIEW = "get: /home\naccess: public\n"
CALL = "call: {get: users:/users}\n"
CALLS = "calls:\n  user: {get: users:/users/1}\n  orders: {get: users:/orders}\n"

YAML = [
    # the file views/home.yaml, a part of the message, a part of the hint
    ("get: /home\ncalls:\n\tuser: {get: users:/x}\n", "a tab indents this line", "blanks"),
    (VIEW + "calls:\n    user: {get: users:/x}\n  b: {get: users:/y}\n", "indented by 2", "column"),
    (VIEW + "calls:\n  user:\n    get: users:/x\n     path: a\n", "too far", "same column"),
    (VIEW + "call: {get: users:/users/{params.id}}\n", "without quotes", 'get: "users:/users'),
    (VIEW + CALL + "shape: {a: user.x[?b].c}\n", "brackets without quotes", "within braces"),
    (VIEW + CALL + "title: Orders: all\n", "second `: `", "needs quotes"),
    (VIEW + CALL + "shape: {a: {call.name}}\n", "`{call.name}` without quotes", "call.name"),
    (
        VIEW + "call: {post: users:/x, json: {text: {body.text}}}\n",
        "its key has no value",
        '"{body',
    ),
    (
        VIEW + "call: {post: users:/x, json: [{body.text}]}\n",
        "its key has no value",
        '"{body.text}"',
    ),
    (VIEW + "call: {get: users:/x, headers: {X-A: {params.a}}}\n", "its key has no value", '"{pa'),
    (VIEW + "call: {get: users:/x, fallback: {a}}\n", "its key has no value", "has no braces"),
    (VIEW + "call: {get: users:/x, query: {a: {{params.a}}}}\n", "must be a text", '"{…}"'),
    (VIEW + "call:{get: users:/x}\n", "no key `call:{get`", "a blank follows"),
    (VIEW + 'call: {get: "users:/x}\n', "never closed", "same quote"),
    (VIEW + "call: {get: users:/x\n", "not closed", "{get: users:/users"),
    (VIEW + CALL + "frontends: [web\n", "not closed", "[web, mobile]"),
    (VIEW + CALL + "frontends: - web\n", "begins on the line of its key", "next line"),
    (VIEW + CALL + 'params: {a: {pattern: "\\d+"}}\n', "backslash", "single quotes"),
    (VIEW + CALL + "shape: @\n", "cannot begin with `@`", "needs quotes"),
    (VIEW + CALL + "shape: `3`\n", "cannot begin with ```", "backtick needs quotes"),
    (VIEW + CALL + "---\n" + VIEW, "second document", "one document"),
    (VIEW + CALL + "shape: *user\n", "alias", "calls/"),
    ("get: /home\n" + VIEW + CALL, "duplicate key `get`", ""),
    (VIEW + CALL + "shape: 'it's'\n", "a key is expected", "written twice"),
]
EXPRESSIONS = [
    # the leaf of a shape, a part of the message, a part of the hint
    ("{user}", "not a JMESPath expression", "without braces: `user`"),
    ("{user.name}", "not a JMESPath expression", "without braces: `user.name`"),
    ("{{user.name}}", "not a JMESPath expression", "without braces"),
    ("$.user.name", "at character 1", "no `$`"),
    (".user.name", "at character 1", "no dot in front"),
    ("user.age == 3", "character 13", "user.age == `3`"),
    ("orders[?price >= 9.5].id", "character 18", "orders[?price >= `9.5`].id"),
    ("slice(user.name, 0, 3)", "character 18", "slice(user.name, `0`, `3`)"),
    ("user.role = 'admin'", "character 11", "`==`"),
    ("user.role === 'admin'", "character 13", "`==`"),
    ("user.a and user.b", "character 8", "`&&`"),
    ("not user.a", "character 5", "`!(x)`"),
    ("user.name ?? 'x'", "character 11", "`||`"),
    ("user?.name", "character 5", "what is missing is null"),
    ("user.a ? user.b : user.c", "character 8", "a && b || c"),
    ("user.a + user.b", "character 8", "add(a, b)"),
    ("user.a - user.b", "character 8", "sub(a, b)"),
    ("user.a * user.b", "character 8", "mul(a, b)"),
    ("user['name']", "character 6", "follows a dot"),
    ("sort_by(orders, o => o.id)", "character 19", "`&price`"),
    ("sort_by(orders, id)", "wants an expression for each item", "`&`"),
    ("'a' in user.roles", "character 5", "contains(b, a)"),
    ('user.role == "admin"', "is a field, not a text", "'admin'"),
    ('user.name || "unknown"', "is a field, not a text", "'unknown'"),
    ('contains(user.roles, "admin")', "is a field, not a text", "'admin'"),
    ("orders[?open == true]", "`true` is a field", "backticks: `true`"),
    ("orders | length", "not the function", "`length(@)`"),
    ("len(orders)", "no function `len()`", "`length(x)`"),
    ("lenght(orders)", "no function `lenght()`", "did you mean `length`?"),
    ("length(orders, user)", "takes 1 argument(s), 2 given", ""),
    ("usr.name", "nothing is called `usr`", "did you mean `user`?"),
    ("orders[0", "ends too early", "do not match"),
    ("session.subject", "there is no `session.subject`", "did you mean `sub`"),
    ("true", "nothing is called `true`", "backticks"),
    ("user.{a: true}", "`true` is a field", "backticks: `true`"),
    ("!user.a", "`a` of true or false is always null", "`!(user.name)`"),
    ("orders[].{id: id, n: 1}", "character 22", "orders[].{id: id, n: `1`}"),
    ("user.a || 0", "character 11", "user.a || `0`"),
    ("[1, 2]", "character 3", "[`1`, `2`]"),
    ("orders.0.id", "character 8", "orders[0].id"),
    ("orders..id", "character 8", "orders[].id"),
    ("orders | map(.id)", "character 14", "orders[].id"),
    ("orders[] | select(.open)", "character 19", "orders[?open].id"),
    ("orders[status == 'open']", "character 8", "`[?`"),
    ("orders[?(status in ['a', 'b'])]", "character 17", "contains(b, a)"),
    ("orders[?id == $params.id]", "character 15", "no `$`"),
    ("${user.name}", "is not a valid reference", "an expression is `user.name`"),
    ("user.first-name", "character 11", 'user."first-name"'),
    ('user.name + "x"', "character 11", "join('', [a, b])"),
    ("user.{id, name}", "character 9", "{id: id, name: name}"),
    ("user { id name }", "character 6", "{id: id, name: name}"),
    ("{...user, a: b}", "character 2", "merge(a, b)"),
    ("#/user/name", "character 1", "a path has dots"),
    ("user->name", "character 5", "a path has dots"),
    ("user.a <> 'b'", "character 9", "`!=`"),
    ("user.a is null", "character 8", "`a == null`"),
    ("user.name =~ 'x'", "character 11", "contains(x, 'a')"),
    ("user.a == None", "nothing is called `None`", "`null`"),
    ("user.name || EUR", "nothing is called `EUR`", "'EUR'"),
    ("request.query.page", "nothing is called `request`", "`params`"),
    ("data.user", "nothing is called `data`", "name of its call"),
    ("env.HOME", "nothing is called `env`", "${NAME}"),
    ("now", "nothing is called `now`", "`now()`"),
    ("session.email", "there is no `session.email`", "session.claims.email"),
    ("session.user.id", "there is no `session.user`", "session.sub"),
    ("session.token", "there is no `session.token`", "credentials"),
    ("headers.authorization", "there is no `headers.authorization`", "credentials"),
    ("upper(user.name)", "no function `upper()`", "register"),
    ("parseInt(user.a)", "no function `parseInt()`", "to_number"),
    ("user.name.matches('x')", "no function `matches()`", "contains"),
    ("max(orders, &total)", "takes 1 argument(s)", "max_by(x, &price)"),
    ("Math.round(user.a)", "takes 2 argument(s)", "round(number, number)"),
]
KEYS = [
    # the text of the view after its calls, a part of the message, a part of the hint, its line
    ("timout: 2s", "no key `timout`", "did you mean `timeout`?", 6),
    ("timeout: 2", "not a duration", "ms, s, m, h", 6),
    ("timeout: 2 seconds", "not a duration", "ms, s, m, h", 6),
    ("max_body: 1 MB", "is not a size", "B, KB, MB", 6),
    ("access: signedin", "is not one of signed_in", "did you mean `signed_in`?", 6),
    ("params: {page size: {}}", "is not a name", "letters", 6),
    ("params: {page: {type: int}}", "is not one of string, integer", "", 6),
    ("params: {page: {default: 1, required: true}}", "never `required`", "", 6),
    ("params: {tags: {minItems: 1}}", "is for arrays", "type: array", 6),
    ("frontends: [wbe]", "no frontend `wbe`", "did you mean `web`?", 6),
    ("shapes: {wbe: user}", "no frontend `wbe`", "did you mean `web`?", 6),
    ("sparse: true\nshape_with: a:b", "can be `sparse`", "", 6),
    ("refresh: [cart]", "is read-only", "", 6),
    ("reserve: 9s", "leaves nothing", "", 6),
    ("require_any: [usr]", "names no call", "did you mean `user`?", 6),
    ("answer: usr", "names no call", "did you mean `user`?", 6),
]
CLOSED = """\
post: /a
body:
  type: object
  required: [{required}]
  properties: {{name: {{type: string}}}}
  additionalProperties: false
call: {{post: users:/x, json: {{n: "{{body.{field}}}"}}}}
"""
KEYS_ELSEWHERE = [
    # a view, a part of the message, a part of the hint
    ("route: /home\ncall: {get: users:/x}\n", "no key `route`", "`get: /home`"),
    ("GET: /home\ncall: {get: users:/x}\n", "no key `GET`", "`get`"),
    (VIEW + CALL + "auth: required\n", "no key `auth`", "access: signed_in"),
    (VIEW + CALL + "query: {a: {}}\n", "no key `query`", "`params:"),
    (VIEW + CALL + "response: call\n", "no key `response`", "`shape:"),
    (VIEW + CALL + "params: {a: {optional: true}}\n", "no key `optional`", "required: false"),
    (VIEW + CALL + "params: {a: {schema: {}}}\n", "no key `schema`", "directly below the name"),
    (VIEW + CALL + "params: {a: integer}\n", "a mapping, is expected", "{type: …}"),
    (VIEW + CALL + "frontends: web\n", "a list is expected", "[…]"),
    (VIEW + "call: {url: users:/x}\n", "no key `url`", "`get: users:/users`"),
    (VIEW + "call: {get: users:/x, params: {a: b}}\n", "no key `params`", "`query:"),
    (VIEW + "call: {get: users:/x, body: {a: b}}\n", "no key `body`", "`json:"),
    (VIEW + "call: {get: users:/x, default: []}\n", "no key `default`", "fallback"),
    (VIEW + "call: {get: users:/x, if: a}\n", "no key `if`", "when"),
    (VIEW + "call: {get: users:/x, depends_on: a}\n", "no key `depends_on`", "after"),
    (VIEW + "call: {get: users:/x, foreach: a}\n", "no key `foreach`", "`each:"),
    (VIEW + "call: {get: users:/x, cache: 1m}\n", "is expected here", "{ttl: …}"),
    (VIEW + "call: {get: users:/x, required: false}\n", "has no meaning", "optional: true"),
    (VIEW + "call: {get: users:/x, forward: [X-*]}\n", "patterns are not supported", "by its name"),
    (VIEW + 'call: {get: "users:/x/:id"}\n', "sent as it is", "{params.id}"),
    ('get: /a/{id}\ncall: {get: "users:/x/{id}"}\n', "nothing is called `id`", "params.id"),
    ("post: /a\nbody: {name: string}\ncall: {post: users:/x}\n", "no keyword", "properties"),
    (CLOSED.format(required="nam", field="name"), "requires `nam`", "`name`"),
    (CLOSED.format(required="name", field="nme"), "never has `body.nme`", "`name`"),
]
TARGETS = [
    ("http://users/users", "is not a target", "declare the service in bff.yaml"),
    ("/users", "is not a target", "`users:/users`"),
    ("users:users", "is not a target", "`users:/users`"),
    ("GET users:/users", "is not a target", "`get: users:/users`"),
    ("users:/users?page=2", "has a query", "query:"),
    ("users:/users/../x", "dot segment", ""),
    ("usrs:/users", "no service `usrs`", "did you mean `users`?"),
]


def errors(folder, **files):
    return [each for each in folder.problems({"SECRET": "x" * 32}, **files) if not each.warning]


def answered(problems, message, hint):
    found = [each for each in problems if message in each.message and hint in each.hint]
    assert len(found) == 1, "\n".join(map(str, problems))
    return found[0]


@pytest.mark.parametrize(("text", "message", "hint"), YAML)
def test_what_is_no_yaml_is_told_in_the_words_of_the_language(folder, text, message, hint):
    problems = errors(folder, bff=ROOT, home=text)
    problem = answered(problems, message, hint)
    assert problem.place.file == "views/home.yaml"
    assert problem.place.line > 1 or text.startswith("get: /home\nget")
    assert "did not find expected" not in problem.message


@pytest.mark.parametrize(("leaf", "message", "hint"), EXPRESSIONS)
def test_an_expression_of_another_language(folder, leaf, message, hint):
    quoted = leaf.replace("'", "''")
    shape = f"access: optional\nshape: {{a: '{quoted}', user: user.id, orders: orders}}\n"
    problems = errors(folder, bff=ROOT, home="get: /home\n" + CALLS + shape)
    problem = answered(problems, message, hint)
    assert (problem.place.file, problem.place.line) == ("views/home.yaml", 6)
    assert len(problems) == 1


@pytest.mark.parametrize(("key", "message", "hint", "line"), KEYS)
def test_a_key_is_answered_where_it_stands(folder, key, message, hint, line):
    shape = "" if "shape" in key else "shape: user\n"
    home = "get: /home\n" + CALLS + ("" if "access" in key else "access: public\n") + key
    problem = answered(errors(folder, bff=ROOT, home=f"{home}\n{shape}"), message, hint)
    assert problem.place.file == "views/home.yaml"
    assert problem.place.line == (line if "access" not in key else 5)


@pytest.mark.parametrize(("home", "message", "hint"), KEYS_ELSEWHERE)
def test_a_key_of_another_language(folder, home, message, hint):
    answered(errors(folder, bff=ROOT, home=home), message, hint)


@pytest.mark.parametrize(
    "schema",
    [
        "true",
        "{}",
        "{$ref: '#/$defs/a', $defs: {a: {type: object}}}",
        "{type: object, properties: {n: {type: string, nullable: true}}, x-note: a}",
        "{type: object, required: [n]}",
        "{type: object, required: [n], patternProperties: {'^n': {}}, additionalProperties: false}",
    ],
)
def test_a_schema_that_may_be_meant(folder, schema):
    home = f'post: /a\nbody: {schema}\ncall: {{post: users:/x, json: "{{body.n}}"}}\n'
    assert errors(folder, bff=ROOT, home=home) == []


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("{get: users:/x, query: {q: params.q}}", "params.q"),
        ("{get: users:/x/params.q}", "params.q"),
        ("{get: users:/x, headers: {X-Q: session.sub}}", "session.sub"),
        ('{get: users:/x, query: {q: "{params.q}", host: shop.example, v: v1.2}}', ""),
        ("{get: users:/params/shop.json, query: {q: params.other}}", ""),
        ("{get: users:/call.json, query: {host: call.example}}", ""),
        ("{get: users:/x, each: params.ids, query: {q: item.id}}", "item.id"),
    ],
)
def test_a_text_without_its_braces_is_doubtful(folder, call, text):
    home = f"get: /home\nparams: {{q: {{}}, ids: {{type: array}}}}\ncall: {call}\n"
    found = folder.problems({"SECRET": "x" * 32}, doubts=True, bff=ROOT, home=home)
    named = [each for each in found if each.id == "text-like-expression"]
    assert [each.message.split("`")[1] for each in named] == [text] * bool(text)


@pytest.mark.parametrize(("target", "message", "hint"), TARGETS)
def test_a_target_that_is_none(folder, target, message, hint):
    problems = errors(folder, bff=ROOT, home=VIEW + f'call: {{get: "{target}"}}\n')
    assert answered(problems, message, hint).place.line == 3


@pytest.mark.parametrize(
    "text",
    [
        'a: "orders[?\\"content-type\\" == \'x\']"',
        "a: \"contains(user.name, 'true')\"",
        'a: "orders[?a == `true`]"',
        'a: "orders | [0]"',
        "a: \"user.name || 'x = 3'\"",
        "a: \"join(' + ', orders[].id)\"",
        'a: "{\\"a\\": user.id}"',
        'a: "orders[?\\"status\\" == \'open\']"',
        'a: "orders[0].{\\"id\\": id}"',
        'a: "user.true"',
        "a: \"user.a && 'x - y' || orders[-1].id\"",
    ],
)
def test_what_only_looks_like_a_mistake_is_none(folder, text):
    home = "get: /home\n" + CALLS + f"access: public\nshape: {{{text}, b: user, c: orders}}\n"
    assert errors(folder, bff=ROOT, home=home) == []


@pytest.mark.parametrize(
    ("broken", "whose"),
    [
        ({"cart": "get: /cart\ncall: {get: users:/x, optionl: true}\n"}, "views/cart.yaml"),
        ({"cart": "get: [\n"}, "views/cart.yaml"),
        ({"calls_shared": "get: users\n"}, "calls/shared.yaml"),
        ({"calls_shared": "get: {\n"}, "calls/shared.yaml"),
    ],
)
def test_what_is_wrong_in_one_file_is_not_told_of_those_that_use_it(folder, broken, whose):
    change = "post: /change\naccess: public\nrefresh: [cart]\ncall: {use: shared, post: users:/x}\n"
    second = "get: /second\naccess: public\ncall: {use: shared}\n"
    files = {
        "cart": "get: /cart\naccess: public\ncall: {get: users:/cart}\n",
        "calls_shared": "get: users:/shared\n",
        "home": None,
        "change": change,
        "second": second,
        **broken,
    }
    problems = errors(folder, bff=ROOT, **files)
    assert [each.place.file for each in problems] == [whose]


def test_problems_come_in_the_order_of_their_lines(folder):
    home = "get: /home\naccess: public\nshape: usr\ntimeout: 3\ncalls:\n  a: {get: usr:/x}\n"
    other = "get: /other\ncalls: {}\nmax_calls: x\n"
    problems = errors(folder, bff=ROOT, home=home, other=other)
    places = [each.place.order for each in problems]
    assert places == sorted(places)
    assert len(places) == 2


@pytest.mark.parametrize("name", ["pageSize", "_cursor", "A", "x2", "sort_by", "OrderID"])
def test_names_of_parameters_are_those_of_existing_clients(folder, name):
    home = (
        f"get: /orders/{{{name}}}\naccess: public\nparams: {{limit: {{}}, {name}Max: {{}}}}\n"
        f'call: {{get: "users:/x/{{params.{name}}}", query: [limit, {name}Max]}}\n'
    )
    found = folder.check({"SECRET": "x" * 32}, bff=ROOT, home=home)
    assert {param.name for param in found.config.views[0].params} == {name, "limit", f"{name}Max"}


def test_a_frontend_that_takes_sessions_without_a_provider_is_told_what_none_means(folder):
    from bff.declare.checks.sign_in import sign_in_problems

    root = ROOT.partition("providers:")[0] + "services:" + ROOT.partition("services:")[2]
    found = folder.check({}, bff=root, home=VIEW + CALL)
    hint = next(sign_in_problems(found.config)).hint
    assert "no visitor" in hint
