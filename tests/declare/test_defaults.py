"""Each default is declared once, in the model; keys, their texts and the docs agree with it."""

import re
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from bff.declare import access, caching, calls, config, policy, read, relays, services, views
from bff.declare.load import parse
from bff.errors import ConfigError
from bff.model.access import Limits, Provider, SessionRules
from bff.model.cache import CacheRule, CacheStore
from bff.model.config import Config
from bff.model.frontend import Frontend
from bff.model.policy import Break, Eject, Retry
from bff.model.relay import Relay
from bff.model.service import Service
from bff.model.view import Batch, Call, View

DOCS = Path(__file__).parents[2] / "docs/configuration.md"
TABLES = [
    (services.SERVICE_KEYS, Service),
    (services.FRONTEND_KEYS, Frontend),
    (access.PROVIDER_KEYS, Provider),
    (caching.CACHE_KEYS, CacheRule),
    (caching.STORE_KEYS, CacheStore),
    (calls.BATCH_KEYS, Batch),
    (calls.CALL_KEYS, Call),
    (relays.RELAY_KEYS, Relay),
    (views.view_keys({}), View),
    (config.ROOT_KEYS, Config),
    (policy.RETRY_KEYS, Retry),
    (policy.BREAKER_KEYS, Break),
    (policy.EJECT_KEYS, Eject),
]
# what a key's words say in the place of the model's value
OTHERWISE = {
    ("view", "params"): {},
    ("view", "respond"): {},
    ("service", "redirects"): "refuse",
}


def defaults_of(model):
    """By field, the default that the model has."""
    return {
        each.name: each.default if each.default_factory is MISSING else each.default_factory()
        for each in fields(model)
        if each.default is not MISSING or each.default_factory is not MISSING
    }


@pytest.mark.parametrize(("keys", "model"), TABLES, ids=lambda each: getattr(each, "__name__", ""))
def test_no_key_declares_a_default_that_the_model_has(keys, model):
    twice = {name: key.default for name, key in keys.items() if key.default is not None}
    twice = {name: each for name, each in twice.items() if name in defaults_of(model)}
    known = {
        name: each for (kind, name), each in OTHERWISE.items() if kind == model.__name__.lower()
    }
    assert twice == known


@pytest.mark.parametrize(("keys", "model"), TABLES, ids=lambda each: getattr(each, "__name__", ""))
def test_what_a_key_says_of_its_default_is_the_models(keys, model):
    known = defaults_of(model)
    for name, key in keys.items():
        said = re.search(r"; ([\w%/]+)(?: if not said)?\.$", key.about)
        stated = value_of(said[1]) if said else None
        if stated is not None and known.get(name) is not None:
            assert stated == known[name], key.about


def test_the_defaults_in_the_docs_are_the_models():
    compared = set()
    for rows in documented():
        keys, model = max(TABLES, key=lambda each: len(rows.keys() & each[0].keys()))
        known = defaults_of(model)
        if not rows.keys() <= keys.keys():
            continue
        for name, said in rows.items():
            stated = value_of(said)
            if stated is not None and known.get(name) is not None:
                assert stated == known[name], (model, name)
                compared.add((model.__name__, name))
    assert {("Service", "timeout"), ("View", "max_calls"), ("Break", "most")} <= compared
    assert len(compared) > 25


def documented():
    """The tables of the reference with a column for defaults: by key, the default."""
    for block in DOCS.read_text(encoding="utf-8").split("\n\n"):
        if re.match(r"\| key.*\| default \|", block):
            rows = re.findall(r"^\| `(\w+)` \|.*\| `([^`|]*)` \|$", block, re.MULTILINE)
            yield dict(rows)


def value_of(text):
    """A duration, size, share or number as the readers read it; None for any other text."""
    for reader in (read.DURATION, read.SIZE, read.PERCENT, read.integer(0, 10**6)):
        with suppress(ConfigError):
            return reader.read(parse(f"x: {text}", "about.yaml", {}).value["x"])
    return None


def test_a_default_that_is_declared_twice_is_refused():
    keys = {"timeout": read.Key(read.DURATION, "", 3.0)}
    with pytest.raises(TypeError, match="`timeout` is declared twice"):
        read.with_defaults(keys, Service)
    assert read.with_defaults(keys, Service, ["timeout"]) == keys


@pytest.mark.parametrize("model", [SessionRules, Limits])
def test_an_empty_table_is_the_models_own_default(model):
    reader = {SessionRules: access.SESSION, Limits: access.LIMITS}[model]
    assert reader.read(parse("x: {}", "bff.yaml", {}).value["x"]) == model()
