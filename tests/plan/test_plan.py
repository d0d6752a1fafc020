"""Plans: what waits for what and why, what a frontend leaves out, what cannot be ordered."""

import pytest

from bff.declare.config import assemble
from bff.declare.load import parse
from bff.errors import ConfigError
from bff.plan.plan import plan

ROOT = """
version: 1
frontends: {web: {access: none}, mobile: {access: none}}
services:
  s: {url: "http://127.0.0.1:1"}
  keyed: {url: "http://127.0.0.1:2", credentials: session, forward: [X-App]}
"""


def plans(view):
    config = assemble(parse(ROOT, "bff.yaml", {}), {"home": parse(view, "home.yaml", {})}, {})
    return plan(config.views[0], config.services)


def planned(calls, shape="{all: [%s]}", frontend="web", more=""):
    """The plan of a view: `calls` are its lines, and the shape uses all of them."""
    lines = "\n".join(f"  {line}" for line in calls)
    names = ", ".join(line.split(":")[0] for line in calls)
    shape = shape % names if "%s" in shape else shape
    return plans(f"get: /home\ncalls:\n{lines}\nshape: '{shape}'\n{more}")[frontend]


def refused(calls, **options):
    with pytest.raises(ConfigError) as error:
        planned(calls, **options)
    return error.value.problems


A = "a: {get: s:/a}"
B = "b: {get: s:/b}"


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ('x: {get: "s:/x/{a.id}"}', "a"),
        ('x: {get: "s:/x", query: {q: "{b[0].id}"}}', "b"),
        ('x: {get: "s:/x", headers: {X-A: "{a.id} {b.id}"}}', "a b"),
        ('x: {post: "s:/x", json: {deep: [{er: "{a.id}"}]}, safe: true}', "a"),
        ('x: {get: "s:/x", when: "a.plan == `1`"}', "a"),
        ('x: {get: "s:/x", when: "!(a.plan)"}', "a"),
        ('x: {each: "a.items", get: "s:/x/{item.id}"}', "a"),
        ('x: {each: "a.items[?ok == `true`]", get: "s:/x/{item.id}"}', "a"),
        ('x: {each: "a.items", get: "s:/x/{item.id}/{b.id}"}', "a b"),
        ('x: {each: {o: "a[]", p: "o.parts"}, get: "s:/x/{p.id}"}', "a"),
        ('x: {each: a, batch: {get: s:/x, query: {ids: "{item.id}"}, key: id}}', "a"),
        ('x: {get: "s:/x", query: {q: "{sort_by(a, &b)[0]}"}}', "a"),
        ('x: {get: "s:/x", query: {q: "{a.b}"}}', "a"),
        ('x: {get: "s:/x", path: a}', ""),
        ('x: {get: "s:/x", query: {q: a}}', ""),
        ("x: {get: \"s:/{'a'}\"}", ""),
    ],
)
def test_a_call_needs_the_calls_whose_names_it_uses(line, needs):
    made = planned([A, B, line])
    assert set(made.nodes["x"].needs) == set(needs.split())
    assert made.nodes["x"].follows == {}
    assert all("x" in made.dependents[name] for name in needs.split())


def test_a_need_says_what_is_read():
    node = planned([A, 'x: {get: "s:/x/{a.deep.id}"}']).nodes["x"]
    assert node.needs == {"a": "reads `a.deep.id`"}


ATTACHED = [A, 't: {each: "a.lines", get: "s:/t/{item.id}", into: tag}']


@pytest.mark.parametrize(
    ("line", "needs", "follows"),
    [
        ('x: {get: "s:/x", query: {q: "{a.lines[].tag.id}"}}', "a t", ""),
        ('x: {get: "s:/x", query: {q: "{a.lines[0].tag}"}}', "a t", ""),
        ('x: {get: "s:/x", query: {q: "{length(a.lines[?tag.ok])}"}}', "a t", ""),
        # a condition on what is attached needs it as much as a value does
        ('x: {each: "a.lines[?tag]", get: "s:/x/{item.id}"}', "a t", ""),
        ('x: {each: "a.lines", get: "s:/x/{item.tag.id}"}', "a t", ""),
        ('x: {each: "a.lines[].tag.kinds[]", get: "s:/x/{item}"}', "a t", ""),
        ('x: {each: "sort_by(a.lines, &tag.n)", get: "s:/x/{item.id}"}', "a t", ""),
        ('x: {post: "s:/x", json: "{a}"}', "a", "t"),
        ('x: {post: "s:/x", json: "{a.lines}"}', "a", "t"),
        ('x: {post: "s:/x", json: "{a.*}"}', "a", "t"),
        ('x: {get: "s:/x/{a.id}"}', "a", ""),
        ('x: {get: "s:/x/{a.lines[0].id}"}', "a", ""),
    ],
)
def test_reading_what_another_call_attaches_waits_for_it(line, needs, follows):
    node = planned([*ATTACHED, line]).nodes["x"]
    assert set(node.needs) == set(needs.split())
    assert set(node.follows) == set(follows.split())


def test_attached_names_are_found_below_nested_items():
    calls = [
        A,
        't: {each: {o: "a.orders", p: "o.parcels"}, get: "s:/t/{p.id}", into: where}',
        'x: {get: "s:/x", query: {q: "{a.orders[].parcels[].where.city}"}}',
    ]
    assert set(planned(calls).nodes["x"].needs) == {"a", "t"}


@pytest.mark.parametrize(
    ("calls", "follows"),
    [
        ([A, "x: {get: s:/x, after: a}"], {"a": "after"}),
        ([A, "x: {get: s:/x, after: [a]}"], {"a": "after"}),
        ([A, 'x: {get: "s:/{a.id}", after: [a]}'], {}),
        (["a: {post: s:/a}", "x: {get: s:/x}"], {"a": "written after the POST"}),
        (["a: {put: s:/a}", "x: {delete: s:/x}"], {"a": "written after the PUT"}),
        ([A, "x: {post: s:/x}"], {"a": "it may fail the view"}),
        (["a: {get: s:/a, optional: true}", "x: {post: s:/x}"], {}),
        (["a: {get: s:/a, fallback: 1}", "x: {post: s:/x}"], {}),
        (["a: {post: s:/a, safe: true}", "x: {get: s:/x}"], {}),
        (["a: {head: s:/a}", "x: {get: s:/x}"], {}),
    ],
)
def test_order_without_data(calls, follows):
    assert planned(calls).nodes["x"].follows == follows


def test_unsafe_calls_run_one_after_the_other_in_the_order_written():
    made = planned(["a: {post: s:/a}", "b: {get: s:/b}", "c: {put: s:/c}", "d: {patch: s:/d}"])
    waits = {name: set(node.waits_for) for name, node in made.nodes.items()}
    assert waits == {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"c"}}


MAY_FAIL = "it may fail the view"
W = "w: {post: s:/w}"


@pytest.mark.parametrize(
    ("calls", "more", "held_by"),
    [
        (["a: {get: s:/a, guard: true, pass: [404]}", W], "", "a"),
        (["a: {get: s:/a}", "b: {get: s:/b}", W], "", "a b"),
        # what a call waits for ends before it does
        (["a: {get: s:/a}", 'b: {get: "s:/{a.id}"}', W], "", "b"),
        (["a: {get: s:/a, optional: true}", 'b: {get: "s:/{a.id}"}', W], "", "b"),
        (["a: {get: s:/a, optional: true}", "b: {get: s:/b, fallback: []}", W], "", ""),
        (["a: {get: s:/a, optional: true, guard: true}", W], "", ""),
        (["a: {get: s:/a, optional: true}", W], "require_any: [a]", "a"),
        (["a: {get: s:/a, fallback: 1}", W, B], "require_any: [a, b]", "a"),
        (["a: {get: s:/a}", 'w: {post: "s:/{a.id}"}'], "", ""),
        (["a: {get: s:/a}", "w: {post: s:/w, after: a}"], "", ""),
        (["a: {post: s:/a, safe: true}", W], "", "a"),
        (["a: {get: s:/a}", "w: {get: s:/w, safe: false}"], "", "a"),
        (["a: {get: s:/a}", "w: {put: s:/w, safe: true}"], "", ""),
        (["a: {each: '[`1`]', get: 's:/{item}', max: 1}", W], "", "a"),
        ([W, "a: {get: s:/a}"], "", ""),
        # what waits for the write cannot hold it, directly or through others
        (['a: {get: "s:/{w.id}"}', W], "", ""),
        (["a: {get: s:/a, after: w}", W], "", ""),
        (["a: {get: s:/a, after: b}", 'b: {get: "s:/{w.id}", optional: true}', W], "", ""),
    ],
)
def test_a_write_waits_for_what_may_still_forbid_it(calls, more, held_by):
    follows = planned(calls, more=more).nodes["w"].follows
    assert {name for name, why in follows.items() if why == MAY_FAIL} == set(held_by.split())


def test_a_write_does_not_wait_for_what_waits_for_a_later_write():
    made = planned(["a: {get: s:/a, after: c}", "b: {post: s:/b}", "c: {post: s:/c}"])
    waits = {name: set(node.waits_for) for name, node in made.nodes.items()}
    assert waits == {"a": {"c"}, "b": set(), "c": {"b"}}
    made = planned(["a: {get: s:/a, after: b}", "b: {post: s:/b}", "c: {post: s:/c}"])
    assert set(made.nodes["c"].waits_for) == {"a", "b"}, "it waits for `b`, and not for `c`"


def test_what_waits_for_a_write_by_a_call_that_is_left_out_does_not_wait_for_it():
    calls = ["a: {get: s:/a, after: b}", "w: {post: s:/w}", "b: {get: s:/b}"]
    assert planned(calls).nodes["w"].follows == {}
    assert planned(calls, shape="a").nodes["w"].follows == {"a": MAY_FAIL}


def test_a_refusal_names_what_calls_attach_too():
    refuse = """refuse: [{when: "a.lines[0].tag == 'gone'", status: 404, title: Gone}]"""
    attach = 't: {each: "a.lines", get: "s:/t/{item.id}", into: tag, optional: true}'
    (refusal,) = planned([A, attach, W], shape="w", more=refuse).refusals
    assert refusal.needs == {"a", "t"}
    made = planned([A, attach, W], shape="w", more=refuse)
    assert set(made.nodes["w"].waits_for) == {"a", "t"}
    # one that waits for the write can be judged only after it
    made = planned([A, W, attach], shape="w", more=refuse)
    assert set(made.nodes["w"].waits_for) == {"a"}


C = 'c: {get: "s:/c/{a.id}"}'


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ("a", "a"),
        ("c.x", "a c"),
        ("b[?ok].x", "b"),
        ("sort_by(b, &n)", "b"),
        ("{n: c.x, m: `1`}", "a c"),
        ("`1`", ""),
        ("{z: a.*}", "a"),
    ],
)
def test_calls_that_a_shape_does_not_use_are_pruned(shape, kept):
    made = planned([A, B, C], shape=shape)
    assert set(made.nodes) == set(kept.split())
    assert set(made.pruned) == {"a", "b", "c"} - set(kept.split())
    assert list(made.nodes) == [name for name in "abc" if name in kept], "in the order declared"


def test_each_frontend_prunes_for_its_own_shape():
    calls = [A, B, C]
    more = "shapes: {mobile: b}"
    assert set(planned(calls, shape="c", more=more).nodes) == {"a", "c"}
    assert set(planned(calls, shape="c", more=more, frontend="mobile").nodes) == {"b"}


@pytest.mark.parametrize(
    ("shape", "kept"),
    [("a.lines[].tag", "a t"), ("a.lines[].id", "a"), ("a", "a t"), ("a.lines", "a t")],
)
def test_what_attaches_is_kept_where_it_is_read(shape, kept):
    assert set(planned(ATTACHED, shape=shape).nodes) == set(kept.split())


def test_guards_and_writes_are_never_pruned():
    calls = [A, "g: {get: s:/g, guard: true}", "w: {post: s:/w}", 'h: {get: "s:/{a.id}"}']
    assert set(planned(calls, shape="`1`").nodes) == {"g", "w"}


def test_a_guard_keeps_what_it_needs():
    calls = [A, 'g: {get: "s:/g/{a.id}", guard: true}']
    assert set(planned(calls, shape="`1`").nodes) == {"a", "g"}


def test_order_after_a_pruned_call_is_no_order():
    made = planned([A, "x: {get: s:/x, after: [a]}"], shape="x")
    assert made.nodes["x"].waits_for == frozenset()
    assert made.dependents == {"x": ()}


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        (
            ['a: {get: "s:/{b.id}"}', 'b: {get: "s:/{a.id}"}'],
            ["`a` waits for `b` (reads `b.id`)", "`b` waits for `a` (reads `a.id`)"],
        ),
        (
            ['a: {get: "s:/{c.id}"}', "b: {get: s:/b, after: [a]}", 'c: {get: "s:/{b.id}"}'],
            ["`a` waits for `c`", "`b` waits for `a` (after)", "`c` waits for `b`"],
        ),
        (
            ["a: {post: s:/a, after: [b]}", "b: {get: s:/b}"],
            ["`a` waits for `b` (after)", "`b` waits for `a` (written after the POST)"],
        ),
        (
            [
                A,
                't: {each: "a.l", get: "s:/{item.id}/{x.id}", into: tag}',
                'x: {get: "s:/{a.l[0].tag}"}',
            ],
            ["`t` waits for `x`", "`x` waits for `t` (reads what `t` attaches)"],
        ),
    ],
)
def test_a_cycle_is_printed(calls, told):
    (problem,) = refused(calls)
    assert all(part in problem.message for part in told), problem.message
    assert problem.place.file == "home.yaml"


@pytest.mark.parametrize(
    ("line", "told", "hint"),
    [
        ('x: {get: "s:/{usr.id}"}', "nothing is called `usr`", ""),
        ('x: {get: "s:/{aa.id}"}', "nothing is called `aa`", "did you mean `a`?"),
        ('x: {get: "s:/{x.id}"}', "uses its own value", ""),
        ('x: {get: "s:/{item.id}"}', "nothing is called `item`", "only in a call with `each`"),
        ('x: {get: "s:/{params.idd}"}', "no `params.idd`", ""),
        ('x: {get: "s:/{session.subb}"}', "no `session.subb`", "did you mean `sub`?"),
        ('x: {get: "s:/{services.q.url}"}', "no `services.q`", "known: keyed, s"),
        ('x: {get: "s:/{headers.etag}"}', "no `headers.etag`", "forward: [etag]"),
        ('x: {get: "s:/{@}"}', "would be everything", ""),
        ("x: {get: s:/x, after: [z]}", "no other call: `z`", ""),
        ("x: {get: s:/x, after: [x]}", "no other call: `x`", ""),
        ("x: {get: q:/x}", "no service `q`", "known: keyed, s"),
    ],
)
def test_names_that_are_not_there(line, told, hint):
    problems = refused([A, line])
    assert any(told in each.message and hint in each.hint for each in problems), problems
    assert all(each.place.line == 4 for each in problems)


def test_everything_wrong_is_told_at_once():
    problems = refused(['a: {get: "s:/{q.id}"}', "b: {get: t:/b, when: zz}", 'c: {get: "s:/{"}'])
    told = "\n".join(map(str, problems))
    assert all(part in told for part in ("called `q`", "no service `t`", "without its `}`"))


def test_a_lone_call_is_the_answer_and_two_need_a_shape():
    made = plans("get: /a\ncall: {get: s:/a}")["web"]
    assert made.shape.fill({"call": {"x": 1}}) == ({"x": 1}, [])
    guarded = plans("get: /a\ncalls: {a: {get: s:/a}, g: {get: s:/g, guard: true}}")["web"]
    assert guarded.shape.fill({"a": 1, "g": 2}) == (1, [])
    with pytest.raises(ConfigError, match="2 calls and no shape"):
        plans("get: /a\ncalls: {a: {get: s:/a}, b: {get: s:/b}}")


def test_credentials_and_forwarded_headers_are_those_of_the_calls_kept():
    calls = [A, "k: {get: keyed:/k, forward: [X-More]}"]
    with_key = planned(calls, shape="k")
    assert (list(with_key.credentials), with_key.forward) == (["@keyed"], {"x-app", "x-more"})
    without = planned(calls, shape="a")
    assert (without.credentials, without.forward) == ({}, frozenset())


@pytest.mark.parametrize(
    "batch",
    [
        "{get: s:/x, key: id}",
        '{get: s:/x, query: {ids: "{item.id}", also: "{item.n}"}, key: id}',
        '{get: "s:/x/{item.id}", key: id}',
        '{get: "s:/x/{item.id}", query: {ids: "{item.id}"}, key: id}',
        '{get: "s:/x", headers: {X-I: "{item.id}"}, query: {ids: "{item.id}"}, key: id}',
    ],
)
def test_a_batch_names_its_item_in_exactly_one_place(batch):
    (problem,) = refused([A, f"x: {{each: a, batch: {batch}}}"])
    assert "the batch `x`" in problem.message


def unread(text):
    nodes = plans(text)["web"].nodes
    return {name for name, node in nodes.items() if node.compiled.unread}


def test_a_call_is_unread_where_nothing_takes_its_value():
    calls = "get: /a\ncalls:\n  a: {get: s:/a}\n  g: {get: s:/g, guard: true}\n"
    assert unread(calls + "shape: a") == {"g"}
    assert unread(calls + "shape: [a, g.x]") == set()
    assert unread(calls + "refuse: [{when: g.x, status: 409, title: No}]\nshape: a") == set()
    assert unread(calls + "answer: g\nshape: a") == {"g"}
    assert unread(calls.replace("s:/a", '"s:/a/{g.id}"') + "shape: a") == set()
    assert unread(calls.replace("get: s:/a", "get: s:/a, when: g.ok") + "shape: a") == set()
    items = "get: /a\ncalls:\n  a: {get: s:/a}\n  b: {get: s:/b, each: a, into: more}\n"
    assert unread(items + "shape: a") == set()


def test_what_a_tag_reads_is_not_unread():
    writes = "post: /a\ncalls:\n  g: {get: s:/g, guard: true}\n  w: {post: s:/w}\nanswer: 204\n"
    assert unread(writes) == {"g", "w"}
    assert unread(writes + 'invalidates: ["thing:{g.id}"]') == {"w"}


def test_what_a_call_reads_is_named_in_full():
    node = planned([A, B, 'x: {get: "s:/{a.id}/{b.x}/{b.y}", query: {q: "{b.z}"}}']).nodes["x"]
    assert node.needs == {"a": "reads `a.id`", "b": "reads `b.x`, `b.y` and `b.z`"}


@pytest.mark.parametrize(
    ("over", "leaf", "attaches"),
    [
        ("a.lines", "length(a.lines)", False),
        ("a.lines", "!(a.lines)", False),
        ("a.lines", "a.lines == null", False),
        ("a.lines", "a.lines && 1 || 2", False),
        ("a.lines", "a && 1", False),
        ("a.lines", "type(a.lines)", False),
        ("a.lines", "a.lines[?n > `1`] | length(@)", True),
        ("a.lines", "length(a.lines[?n > `1`])", False),
        ("a.lines", "length(a.lines[0])", True),
        ("a.lines", "length(a.lines[].tag)", True),
        ("a.lines", "!(a.lines[0].tag)", True),
        ("a.lines", "[length(a.lines), a.lines]", True),
        ("a.lines", "a.lines == a.others", True),
        ("a[].lines[]", "a[].{n: length(lines)}", False),
        ("a[].product", "a[].{n: length(product)}", True),
        ("[a]", "length(a)", True),
    ],
)
def test_what_is_only_counted_makes_nothing_be_attached(over, leaf, attaches):
    attach = f't: {{each: "{over}", get: "s:/t/{{item.id}}", into: tag}}'
    leaf = leaf.replace(" 1", " `1`").replace(" 2", " `2`")
    plan = planned([A, attach], shape=f"{{x: {leaf}}}")
    assert ("t" in plan.nodes) is attaches


def test_a_condition_that_only_counts_does_not_wait_for_what_is_attached():
    calls = [
        A,
        't: {each: a, get: "s:/t/{item.id}", into: tag}',
        'x: {get: s:/x, when: a, query: {n: "{length(a)}"}}',
    ]
    assert planned(calls).nodes["x"].waits_for == {"a"}
    calls[2] = 'x: {get: s:/x, when: "a[0]"}'
    assert planned(calls).nodes["x"].waits_for == {"a", "t"}
