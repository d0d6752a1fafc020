"""What is wrong with a configuration: all of it in one run, each with its place and a hint."""

import pytest

from bff.declare.check import check

VIEW = "get: /home\naccess: public\ncalls:\n"


def told(problems):
    return "\n".join(map(str, problems))


def one(problems):
    assert len(problems) == 1, told(problems)
    return problems[0]


def test_the_shop_is_good(shop):
    found = check(shop, {})
    cart = {"cart", "add_to_cart", "change_in_cart", "remove_from_cart", "place_order"}
    assert set(found.plans) == cart | {"home", "order", "orders", "product", "search"}
    assert all(set(each) == {"web", "mobile"} for each in found.plans.values())
    assert told(found.warnings) == ""


def test_a_small_configuration_is_good(folder):
    found = folder.check()
    assert found.warnings == ()
    assert list(found.plans["home"]) == ["web", "mobile"]
    assert found.config.services["users"].url == "http://127.0.0.1:9001"


def test_every_problem_of_every_file_is_told_in_one_run(folder):
    problems = folder.problems(
        bff="""\
version: 2
frontends:
  web: {access: sesion}
  mobile: {access: none, colour: red}
services:
  users: {url: "ftp://x", timeout: 5 minutes}
""",
        home="get: home\ncals: {}\n",
        other="a: [\n",
        third=VIEW + "  a: {get: users, optional: maybe, each: 7}\nshape: a\n",
        calls_broken="a: *x\n",
    )
    text = told(problems)
    for part in [
        "bff.yaml:1:10: error: 2 is not between 1 and 1",
        "`sesion` is not one of session, bearer, none [wrong-value]\n    hint: did you",
        "bff.yaml:4:26: error: a frontend has no key `colour`",
        "bff.yaml:6:16: error: `ftp://x` is not an http or https address",
        "bff.yaml:6:36: error: `5 minutes` is not a duration",
        "views/home.yaml:1:6: error: `home` is not a valid route",
        "views/home.yaml:2:1: error: a view has no key `cals` [unknown-key]\n    hint: did you",
        "views/other.yaml:2:1: error: this is not YAML",
        "views/third.yaml:4:12: error: `users` is not a target",
        "views/third.yaml:4:29: error: true or false is expected here, this is a text",
        "views/third.yaml:4:42: error: an expression is expected here, this is a number",
        "calls/broken.yaml:1:4: error: an alias",
    ]:
        assert part in text, f"{part}\n\nis not in\n\n{text}"
    assert len(problems) == len(set(problems))


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ("timout: 2s", "no key `timout`", "did you mean `timeout`?"),
        ("timeout: 2", "`2` is not a duration", "ms, s, m, h"),
        ("timeout: 0s", "greater than zero", ""),
        ("timeout: -1s", "is not a duration", ""),
        ("max_calls: 0", "not between 1 and", ""),
        ("max_calls: '7'", "a whole number is expected", ""),
        ("max_calls: true", "a whole number is expected", ""),
        ("max_bytes: 8 MB", "is not a size", "B, KB, MB"),
        ("frontends: [web, moble]", "no frontend `moble`", "did you mean `mobile`?"),
        ("frontends: web", "a list is expected", ""),
        ("shapes: {moble: user}", "no frontend `moble`", "did you mean `mobile`?"),
        ("strict: NO", "true or false is expected", ""),
        ("params: {x: {type: int}}", "`int` is not one of", ""),
        ("params: {x: {minimum: a}}", "a number is expected", ""),
        ("params: {x: {pattern: '('}}", "is not a regular expression", ""),
        ("params: {x: {type: integer, default: a}}", "is not an allowed value", ""),
        ("params: {x: {type: integer, maximum: 3, default: 4}}", "greater than 3", ""),
        ("params: {x: {enum: [a], default: b}}", "not one of a", ""),
        ("params: {x: {required: true, default: b}}", "never `required`", ""),
        ("params: {x: {minItems: 1}}", "is for arrays", "type: array"),
        ("params: {2x: {}}", "`2x` is not a name", "no digit first"),
        ("params: {x: {type: integer, multipleOf: 0}}", "multipleOf", ""),
        ("params: {x: {type: integer, multipleOf: 0, default: 3}}", "multipleOf", ""),
        ("params: {x: {type: integer, enum: [a, b]}}", "enum", ""),
        ("shape: user.nam[", "not a JMESPath", ""),
        ("shape: {a: {b: usr.x}}", "nothing is called `usr`", "did you mean `user`?"),
        ("call: {get: users:/x}", "either `calls` or `call`", ""),
    ],
)
def test_what_is_wrong_with_a_view(folder, more, message, hint):
    shape = "" if more.startswith("shape:") else "shape: user\n"
    home = f"{VIEW}  user: {{get: users:/users/1}}\n{shape}{more}\n"
    problem = one([each for each in folder.problems(home=home) if not each.warning])
    assert message in problem.message
    assert hint in problem.hint
    assert problem.place.file == "views/home.yaml"


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        ("{}", "no targets", "users:/users"),
        ("{get: users:/x, post: users:/x}", "has 2 targets", ""),
        ("{get: users}", "`users` is not a target", "users:/users/"),
        ("{get: 'users:x'}", "is not a target", ""),
        ("{get: usrs:/x}", "no service `usrs`", "did you mean `users`?"),
        ("{get: users:/x, whn: a}", "no key `whn`", "did you mean `when`?"),
        ("{get: users:/x, optional: true, fallback: 1}", "either optional or fallback", ""),
        ("{get: users:/x, optional: false}", "has no meaning", ""),
        ("{get: users:/x, into: y}", "needs `each`", ""),
        ("{get: users:/x, batch: {get: users:/x, key: id}}", "needs `each`", ""),
        ("{get: users:/x, pass: [200]}", "not between 400 and 599", ""),
        ("{get: users:/x, status: {OK: 1}}", "a whole number is expected", ""),
        ("{get: users:/x, status: {99: 1}}", "not between 200 and 599", ""),
        ("{get: users:/x, forward: [Connection]}", "it cannot be", ""),
        ("{get: users:/x, forward: [Transfer-Encoding]}", "it cannot be", ""),
        ("{get: users:/x, forward: [Host]}", "it cannot be", ""),
        ("{get: users:/x, forward: [Accept-Encoding]}", "it cannot be", ""),
        ("{get: users:/x, forward: ['a b']}", "is not the name of a header", ""),
        ("{get: users:/x, headers: {Content-Length: '1'}}", "it cannot be", ""),
        ("{get: users:/x, headers: {X-A: a, x-a: b}}", "duplicate name", ""),
        ("{get: users:/x, respond: [Content-Type]}", "it cannot be", ""),
        ("{get: users:/x, respond: [BFF-Calls]}", "it cannot be", ""),
        ("{get: users:/x, query: {a: {b: c}}}", "is a mapping", ""),
        ("{get: users:/x, query: {true: {b: c}}}", "is a mapping", ""),
        ("{get: users:/x, query: [page]}", "no `params.page`", ""),
        ("{get: {users:/x: null}}", "is expected here, this is a mapping", "needs quotes"),
        ("{get: 'users:/x?a=b'}", "has a query", "query:"),
        ("{get: 'users:/{usr}'}", "nothing is called `usr`", ""),
        ("{get: 'users:/{user.id}'}", "uses its own value", ""),
        ("{get: 'users:/{``}'}", "", ""),
        ("{get: 'users:/{`null`}'}", "is always null", ""),
        ("{get: \"users:/{''}\"}", "is always null", ""),
        ("{use: usr}", "no call `usr` in calls/", ""),
        ("{get: users:/x, when: 'lenght(a)'}", "no function `lenght", "did you mean `length`"),
        ("7", "a mapping, is expected", ""),
        ("null", "a mapping, is expected", ""),
    ],
)
@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
def test_what_is_wrong_with_a_call(folder, call, message, hint):
    problems = folder.problems(home=f"{VIEW}  user: {call}\nshape: user\n")
    assert any(message in each.message and hint in each.hint for each in problems), told(problems)
    assert all(each.place.line == 4 for each in problems if not each.warning), told(problems)


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("{}", "needs `url`"),
        ("{url: users}", "is not an http or https address"),
        ('{url: "http://h/?a=b"}', "query or a fragment"),
        ('{url: "http://ada:secret@h/"}', "cannot contain a user name or password"),
        ('{url: "http://h/a/../b"}', "is not an http or https address"),
        ('{url: "http://h:0"}', "is not an http or https address"),
        ('{url: "http://h:99999"}', "is not an http or https address"),
        ('{url: "http://é.example"}', "is not an http or https address"),
        ('{url: "http://users..internal"}', "is no"),
        ('{url: "http://[::1"}', "is not an http or https address"),
        ('{url: "http://h", limit: 0}', "not between"),
        ('{url: "http://h", credentials: all}', "is not one of"),
        ('{url: "http://h", headers: {X-A: "{params.x}"}}', "cannot use `params`"),
        ('{url: "http://h", headers: {X-A: "{user.id}"}}', "cannot use `user`"),
        ('{url: "http://h", headers: {X-A: "{session.sub"}}', "without its `}`"),
        ('{url: "http://h", headers: {X-A: "{session.subb}"}}', "no `session.subb`"),
    ],
)
def test_what_is_wrong_with_a_service(folder, service, message):
    bff = "version: 1\nfrontends: {web: {access: none}}\nservices:\n  users: " + service + "\n"
    problems = folder.problems(bff=bff)
    assert any(message in each.message for each in problems), told(problems)
    assert "secret" not in told(problems)


def test_a_secret_is_never_printed(folder):
    (folder.path / "key").write_text("S3CRET{\n")
    bff = f"""\
version: 1
frontends: {{web: {{access: none}}}}
services:
  users:
    url: "http://127.0.0.1:1"
    headers: {{X-Key: "${{file:{folder.path}/key}}", X-Other: "${{KEY}}"}}
"""
    assert "S3CRET" not in told(folder.problems(bff=bff, environ={"KEY": "}S3CRET"}))


def test_a_secret_is_sent_as_it_is_and_is_no_template(folder):
    bff = """\
version: 1
frontends: {web: {access: none}}
services:
  users: {url: "http://127.0.0.1:1", headers: {X-Key: "${KEY}"}}
"""
    assert folder.problems(bff=bff, environ={"KEY": "a{b}c"}) == ()


@pytest.mark.parametrize(
    ("files", "message", "where"),
    [
        ({"bff": None}, "there is no bff.yaml", ""),
        ({"bff": "version: 1\nfrontends: {}\nservices: {}\n"}, "at least one frontend", "bff.yaml"),
        (
            {"other": "get: /home\ncall: {get: users:/x}\n"},
            "`home` already has the route",
            "views/other.yaml",
        ),
        ({"Home2": "get: /x\ncall: {get: users:/x}\n"}, "is not a valid name", "Home2.yaml"),
        ({"a-b": "get: /x\ncall: {get: users:/x}\n"}, "is not a valid name", "a-b.yaml"),
        (
            {"calls_user": "'users:/x'\n", "home": VIEW + "  user: {use: user}\nshape: user\n"},
            "",
            "",
        ),
        ({"calls_user": "[a]\n", "home": VIEW + "  user: {use: user}\nshape: user\n"}, "", ""),
        (
            {"calls_user": "{use: user}\n", "home": VIEW + "  user: {use: user}\nshape: user\n"},
            "",
            "",
        ),
        (
            {"home": "get: /a\naccess: signed_in\ncall: {get: users:/x}\n"},
            "has no sign-in",
            "home",
        ),
        ({"home": VIEW + "  shape: {get: users:/x}\nshape: a\n"}, "the name is reserved", "home"),
        (
            {"home": VIEW + "  params: {get: users:/x}\nshape: a\n"},
            "the name is reserved",
            "home",
        ),
        ({"home": "get: /{a}/{a}\ncall: {get: users:/x}\n"}, "same path parameter twice", "home"),
        ({"home": "get: /a/../b\ncall: {get: users:/x}\n"}, "dot segment", "home"),
        ({"home": "get: /a/\ncall: {get: users:/x}\n"}, "is not a valid route", "home"),
        ({"home": "get: /a b\ncall: {get: users:/x}\n"}, "is not a valid route", "home"),
        ({"home": "get: /<a>\ncall: {get: users:/x}\n"}, "is not a valid route", "home"),
        ({"home": b"\xff\xfe"}, "not UTF-8", "home"),
        ({"home": ""}, "the file is empty", "home"),
    ],
)
def test_what_is_wrong_between_files(folder, files, message, where):
    problems = [each for each in folder.problems(**files) if not each.warning]
    assert any(message in each.message and where in each.place.file for each in problems)


def test_routes_that_differ_in_their_variables_names_alone_are_one_route(folder):
    other = "get: /orders/{a}\ncall: {get: users:/x}\naccess: public\n"
    problems = folder.problems(one=other, two=other.replace("{a}", "{b}"))
    assert problems
    assert all("the view `one` already has the route" in each.message for each in problems)


@pytest.mark.parametrize("name", ["views/more.yml", "views/deep/more.yaml", "calls/x.yml"])
def test_a_file_that_looks_like_configuration_and_is_not_read_is_told(folder, name):
    folder.write()
    path = folder.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("get: /x\n")
    assert name in told(check(folder.path, {}).warnings)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  extra: {get: users:/x}\n", "the call `extra` is never made"),
        ("", "no view uses the call `lonely`"),
    ],
)
def test_what_is_not_used_is_a_warning(folder, more, message):
    home = f"{VIEW}  user: {{get: users:/x}}\n{more}shape: user\n"
    shared = None if more else "get: users:/x\n"
    problem = one(folder.problems(home=home, calls_lonely=shared))
    assert problem.warning
    assert message in problem.message


@pytest.mark.parametrize(
    ("call", "warned"),
    [
        ("get: users:/x, cache: {ttl: 1m}, hedge: 50ms", True),
        ("get: users:/x, cache: {ttl: 1m}, hedge: none", False),
        ("get: users:/x, hedge: 50ms", False),
    ],
)
def test_a_hedge_of_what_is_kept_is_a_warning(folder, call, warned):
    found = folder.check(home=f"{VIEW}  user: {{{call}}}\nshape: user\n").warnings
    assert ("so its `hedge` is never sent" in told(found)) == warned


def test_the_names_of_a_query_are_as_they_are_written(folder):
    query = "{true: a, NO: b, 0x10: c, null: d}"
    home = f"{VIEW}  user: {{get: users:/x, query: {query}}}\nshape: user\n"
    call = folder.check(home=home).config.views[0].calls[0]
    assert [name for name, _ in call.query] == ["true", "NO", "0x10", "null"]


def test_a_shared_call_is_overridden_in_place(folder):
    shared = "get: users:/shared\ntimeout: 1s\nfallback: []\nquery: {a: b}\n"
    home = f"{VIEW}  user: {{use: user, optional: true, timeout: 2s}}\nshape: user\n"
    call = folder.check(home=home, calls_user=shared).config.views[0].calls[0]
    assert (call.rung, call.timeout, call.path.text) == ("optional", 2.0, "/shared")
    assert call.query[0][0] == "a"


def test_what_is_wrong_in_a_shared_call_is_told_where_it_stands(folder):
    home = f"{VIEW}  user: {{use: user}}\nshape: user\n"
    problem = one(folder.problems(home=home, calls_user="get: users:/x\ntimout: 1s\n"))
    assert str(problem.place) == "calls/user.yaml:2:1"


def test_services_read_their_addresses_from_the_environment(folder):
    bff = """\
version: 1
frontends: {web: {access: none}}
services: {users: {url: "${USERS_URL:-http://127.0.0.1:9001}"}}
"""
    assert folder.check(bff=bff).config.services["users"].url.endswith(":9001")
    found = folder.check(bff=bff, environ={"USERS_URL": "http://other:1/"})
    assert found.config.services["users"].url == "http://other:1"


@pytest.mark.parametrize(
    "name",
    [
        "views/.#home.yaml",
        "calls/.hidden.yaml",
        "relays/.#r.yaml",
        "views/.#view.py",
        "views/.a.yml",
    ],
)
def test_files_whose_name_begins_with_a_dot_are_ignored(folder, name):
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("ada@host.example.4711:1700000000")  # as an editor locks a file
    data = folder.path / "views/..2026_11_02"  # as Kubernetes mounts a ConfigMap
    data.mkdir(parents=True)
    (data / "home.yaml").write_text("get: /other\n")
    (folder.path / "views/home.yaml~").write_text("get: [")
    (folder.path / "views/#home.yaml#").write_text("get: [")
    (folder.path / "views/.home.yaml.swp").write_bytes(b"b0VIM")
    assert folder.check().warnings == ()
