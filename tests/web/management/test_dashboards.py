"""The dashboard and the alert rules name only what the app really tells after traffic."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bff.cache.cache import Cache
from bff.dev.stubs.stub import StubReply, StubRequest
from bff.observe.events import Audited, Refreshed, UnexpectedError
from bff.observe.instruments import INSTRUMENTS

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "monitoring/grafana.json"
RULES = ROOT / "monitoring/prometheus.rules.yml"
PAGE = ROOT / "docs/observability.md"
OF_PROMETHEUS = {"up": {"job", "instance"}}  # what it says of each target itself
OF_TARGETS = {"job", "instance"}
KINDS = {"most": "gauge"}


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text())


def rules() -> list[Any]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Each with where it stands; Grafana's variables as it would fill them in."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "5m")
            yield panel["title"], re.sub(r"\$\w+", ".*", text)
    for rule in rules():
        yield rule["alert"], rule["expr"]


def selectors(node: Any) -> Iterator[Any]:
    """The vector selectors of an expression, and what it groups by."""
    if isinstance(node, promql.MatrixSelector):
        yield node.vector_selector
    elif isinstance(node, promql.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs"):
        if hasattr(node, name):
            yield from selectors(getattr(node, name))
    for each in getattr(node, "args", []):
        yield from selectors(each)


def groupings(node: Any) -> Iterator[tuple[set[str], set[str]]]:
    """For each aggregation: what it groups by, and the metrics that are in it."""
    if isinstance(node, promql.AggregateExpr) and node.modifier:
        yield set(node.modifier.labels), {each.name for each in selectors(node.expr)}
    for name in ("expr", "lhs", "rhs"):
        if hasattr(node, name):
            yield from groupings(getattr(node, name))
    for each in getattr(node, "args", []):
        yield from groupings(each)


def answer(request: StubRequest) -> StubReply:
    if request.path == "/hangs":
        return StubReply(fault="hang")
    return StubReply(status=503) if request.path == "/fails" else StubReply.json(1)


@pytest.fixture
def exposed(site: Any) -> dict[str, set[str]]:
    """What an app tells after traffic: the labels of each sample, by its name."""
    views = [
        "get: /well\ncache: {ttl: 60s}\ncall: {get: users:/well}\n",
        "get: /fails\ncall: {get: users:/fails, fallback: 1}\n",
        "get: /late\ntimeout: 100ms\ncall: {get: users:/hangs}\n",
    ]
    policy = ", retry: {retries: 1, first: 1ms}, breaker: {of: 5, failures: 20%}"
    shop = site(*views, users=answer, service=policy, cache=Cache(1_000_000))
    for path in ("well", "well", "late", *["fails"] * 6):
        shop.get(f"/web/{path}")
    metrics = shop.metrics
    # what takes a provider; that these are told is for the tests of sessions to show
    metrics.observe(Refreshed("shop", "ok"))
    metrics.observe(Audited("signed_in", provider="shop"))
    metrics.observe(UnexpectedError("call", ValueError()))  # likewise: tests of the engine
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_the_dashboard_and_the_rules_name_only_what_is_told(exposed: dict[str, set[str]]) -> None:
    known, checked = exposed | OF_PROMETHEUS, set()
    for where, text in expressions():
        parsed = promql.parse(text)
        for each in selectors(parsed):
            assert each.name in known, where
            assert {one.name for one in each.matchers.matchers} <= known[each.name], where
            checked.add(each.name)
        for labels, names in groupings(parsed):
            for name in names:
                assert labels <= known[name] | OF_TARGETS, f"{where}: {name} by {labels}"
    for variable in dashboard()["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.get("definition", ""))
        assert not asked or asked[2] in known[asked[1]]
    shown = {name.removesuffix("_bucket").removesuffix("_count") for name in checked}
    assert shown >= {each.name for each in INSTRUMENTS}, "every metric is on the dashboard"


def test_every_metric_is_told_with_the_labels_it_declares(exposed: dict[str, set[str]]) -> None:
    for each in INSTRUMENTS:
        name = each.name + "_count" * (each.kind == "histogram")
        assert exposed[name] == set(each.labels), each.name


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    content = dashboard()
    panels = content["panels"]
    assert content["uid"] == "bff"
    assert len({each["id"] for each in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            parsed = promql.parse(re.sub(r"\$\w+", "5m", target["expr"]))
            assert all(shown <= labels for labels, _ in list(groupings(parsed))[:1]), panel["title"]


def test_every_rule_says_how_bad_it_is_and_is_explained() -> None:
    page = PAGE.read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in page, "what to do about it"


def test_the_page_lists_every_metric_as_it_is() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert listed == [
        (
            each.name,
            KINDS.get(each.kind, each.kind),
            ", ".join(f"`{label}`" for label in each.labels),
            each.says,
        )
        for each in INSTRUMENTS
    ]
