"""The defaults that docs/resilience.md tells are those that a configuration without them has."""

from pathlib import Path

import pytest

from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.upstream.budget import ExtraBudget

DOCS = (Path(__file__).parents[2] / "docs/resilience.md").read_text()
ROOT = """
version: 1
frontends: {web: {access: none}}
services: {s: {url: "http://s", retry: {}, breaker: {}, eject: {}}}
"""


def told():
    """What the page should say, made of what the code does."""
    view = parse("get: /x\ncall: {get: s:/x}\n", "x.yaml", {})
    checked = check_config(assemble(parse(ROOT, "bff.yaml", {}), {"x": view}, {}))
    service, page = checked.config.services["s"], checked.plans["x"]["web"].view
    retry, broken, eject = service.retry, service.breaker, service.eject
    assert page.reserve == 0.05 == min(0.05, page.timeout / 10)
    assert broken.failures == eject.share == 0.5
    budget = ExtraBudget(service.budget)
    while budget.take(0):  # of none at all
        floor = budget.out
    yield f"| deadline of a view | `timeout: {page.timeout:.0f}s` |"
    yield "| reserve | a tenth of it, at most 50 ms |"
    yield f"| time-out of a request | `{service.timeout:.0f}s`, of all tries together |"
    yield f"| age of a connection | `renew: {service.renew / 60:.0f}m` |"
    yield (
        f"| {eject.after} failures in a row, {eject.time:.0f} s, then {2 * eject.time:.0f} s,"
        f" up to {eject.most / 60:.0f} min, never more than half |"
    )
    yield f"| budget | {service.budget:.0%} of the requests, never fewer than {floor} |".replace(
        "%", " %"
    )
    first, most = retry.first * 1000, retry.most * 1000
    yield f"| `retry` | once, after 0 to {first:.0f} ms, then up to {most:.0f} ms |"
    assert retry.retries == 1
    yield (
        f"| `breaker` | half of the last {broken.of} within {broken.within:.0f} s;"
        f" {broken.open:.0f} s, doubled up to {broken.most / 60:.0f} min; {broken.probes} probes |"
    )


@pytest.mark.parametrize("row", list(told()))
def test_a_default_is_told_as_it_is(row):
    assert row in DOCS
