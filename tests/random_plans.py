"""Random views for the conductor: a DAG of calls with every rung, `when`, `each` and `batch`."""

import re
from typing import Any
from zlib import crc32

import orjson
from hypothesis import strategies as st

from bff.declare.check import CheckedConfig, check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.dev.recordings.virtual import VirtualClock
from bff.engine.answer import ViewRequest
from bff.errors import ConfigError
from bff.model.exchange import Reply, Request
from bff.model.principal import NOBODY
from bff.plan.plan import Plan
from bff.upstream.guard import Guards

ROOT: dict[str, Any] = {
    "version": 1,
    "frontends": {"web": {"access": "none"}},
    "services": {
        "plain": {"url": "http://plain.test", "timeout": "400ms"},
        "slow": {"url": "http://slow.test", "timeout": "5s"},
        "moving": {
            "url": "http://moving.test",
            "timeout": "400ms",
            "redirects": "follow",
            "links": {"under": "/"},
        },
        "secured": {"url": "http://secured.test", "timeout": "400ms", "credentials": "session"},
    },
}
# the same, with everything that makes the conductor wait, choose and send again
CAREFUL = {
    **ROOT,
    "services": {
        "plain": {
            "url": ["http://one.test", "http://two.test"],
            "timeout": "400ms",
            "limit": {"calls": 2, "wait": "150ms"},
            "retry": {"retries": 2, "first": "80ms", "on": ["connect", "reset", 500, 503]},
            "eject": {"after": 2, "time": "100ms"},
        },
        "slow": {
            "url": "http://slow.test",
            "timeout": "5s",
            "hedge": "50ms",
            "limit": 3,
            "deadline": "X-Time-Left",
            "retry": {"each": "300ms"},
        },
        "moving": {
            **ROOT["services"]["moving"],
            "breaker": {"of": 2, "open": "200ms", "slow": "100ms", "probes": 1},
            "retry": {"retries": 1},
        },
        "secured": {
            **ROOT["services"]["secured"],
            "retry": {"retries": 1},
            "hedge": "p95",
            "hopeless": "refuse",
        },
    },
}
VALUE = {"flag": True, "items": [{"id": 1}, {"id": 2}, {"id": 1}]}


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A random DAG of calls, as a view file has them."""
    declared: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 6))):
        earlier = sorted(declared)
        declared[f"c{number}"] = draw(_call(f"c{number}", earlier))
    return declared


@st.composite
def _call(draw: st.DrawFn, name: str, earlier: list[str]) -> dict[str, Any]:
    service = draw(st.sampled_from(sorted(ROOT["services"])))
    call: dict[str, Any] = {}
    query: dict[str, Any] = {}
    path = f"{service}:/{name}"
    used = st.sampled_from(earlier) if earlier else st.nothing()
    if earlier:
        for use in draw(st.sets(st.sampled_from(["path", "query", "when", "after"]))):
            other = draw(used)
            if use == "path":
                path += f"/{{{other}.id}}"
            elif use == "query":
                query["q"] = f"{{{other}.id}}"
            elif use == "when":
                call["when"] = f"{other}.flag"
            else:
                call["after"] = [other]
    if earlier and draw(st.booleans()):
        call["each"] = f"{draw(used)}.items"
        if draw(st.booleans()):
            call["into"] = f"of_{name}"
        if draw(st.booleans()):
            batch = {"get": path, "query": {**query, "ids": "{item.id}"}, "key": "id", "size": 1}
            return call | {"batch": batch} | draw(_rung())
        path += "/{item.id}"
    return call | {"get": path, "query": query} | draw(_rung())


def _rung() -> st.SearchStrategy[dict[str, Any]]:
    fallback = {"id": 0, "flag": False, "items": [{"id": 9}]}
    return st.sampled_from(
        [{}, {"required": True}, {"optional": True}, {"fallback": fallback}, {"fallback": None}]
    )


def _config(view: dict[str, Any], root: dict[str, Any]) -> CheckedConfig:
    nodes = [parse(orjson.dumps(each).decode(), "made.yaml", {}) for each in (root, view)]
    return check_config(assemble(nodes[0], {"all": nodes[1]}, {}))


def guards(clock: VirtualClock, root: dict[str, Any] = ROOT) -> Guards:
    """What is known of the services: nothing yet."""
    checked = _config({"get": "/all", "call": {"get": "plain:/"}}, root)
    return Guards(checked.config.services, 32, clock, dice=lambda: 0.5)


def planned(declared: dict[str, Any], root: dict[str, Any] = ROOT) -> Plan:
    """The plan of a view that answers with everything its calls bring."""
    view = {
        "get": "/all",
        "timeout": "1s",
        "calls": declared,
        "shape": {name: name for name in declared},
    }
    return _config(view, root).plans["all"]["web"]


@st.composite
def writing_plans(draw: st.DrawFn) -> Plan:
    """Plans of views that change something, which refuse and require what they like."""
    declared = draw(calls())
    for name, call in declared.items():
        method = draw(st.sampled_from(["get", "get", "post", "put", "delete"]))
        if "get" in call and method != "get":
            path = call.pop("get")
            declared[name] = {method: path, **call}
    names = st.sampled_from(sorted(declared))
    conditions = ["{}.flag == `false`", "length({}.items) == `0`", "{} == null"]
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        more["require_any"] = sorted(draw(st.sets(names, min_size=1, max_size=3)))
    if draw(st.booleans()):
        when = draw(st.sampled_from(conditions)).format(draw(names))
        more["refuse"] = [{"when": when, "status": 409, "title": "No"}]
    view = {"post": "/all", "timeout": "1s", "calls": declared}
    view["shape"] = {name: name for name in declared}
    try:
        return _config(view | more, CAREFUL).plans["all"]["web"]
    except ConfigError:  # the refusal would have to wait for what waits for a write
        more.pop("refuse", None)
        return _config(view | more, CAREFUL).plans["all"]["web"]


def asked() -> ViewRequest:
    scope = {"params": {}, "session": {"claims": {}}, "headers": {}, "services": {}}
    return ViewRequest(scope, {}, NOBODY)


def reply(value: Any, status: int = 200) -> Reply:
    body = b"" if value is None else orjson.dumps(value)
    return Reply(status, (("content-type", "application/json"),), body)


def value_for(request: Request) -> Any:
    """What an upstream answers to a request: to each its own; a batch gets a list."""
    target = request.target
    asked_ids = re.findall("ids=(\\w+)", target)
    if asked_ids:
        return [{**VALUE, "id": each, "of": target} for each in asked_ids]
    return {**VALUE, "id": crc32(target.encode()) % 7, "of": target}
