"""The documentation is complete and true: every key is in it, and its examples run.

`python tests/project/test_docs.py` writes docs/commands.md anew.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import jmespath.functions
import pytest

from bff import errors
from bff.app import create_app
from bff.cli import COMMANDS, main
from bff.declare.access import ISSUER, PROVIDER
from bff.declare.calls import call_reader
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import Node, parse
from bff.declare.read import map_of
from bff.declare.rules.warnings import WARNINGS
from bff.declare.schema import FILES, schema_of
from bff.declare.services import FRONTEND, SERVICE
from bff.declare.views import _RESERVED_NAMES as TAKEN
from bff.model.principal import Principal
from bff.model.service import Service
from bff.model.source import Place, Source
from bff.plan.compile import compile_call
from bff.plan.expression import Expression
from bff.plan.functions import FUNCTIONS
from bff.upstream.pool import PoolExchange

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMANDS_PAGE = DOCS / "commands.md"
COMMANDS_OPEN = """\
# Commands

For users of the command line: the output of `--help`, written by `make docs`. Every command ends
with 0 if it succeeds, with 1 if it ran and failed, with 2 if the configuration or the command line
is wrong.
"""
PLACE = Place("example")
TABLES = {"a service": SERVICE, "a frontend": FRONTEND, "a provider": PROVIDER, "an issuer": ISSUER}
LEAST = """
version: 1
frontends: {web: {access: session}}
services: {users: {url: "http://127.0.0.1:1"}}
"""

# Where the keys of each table of the language are documented: a heading of configuration.md.
SECTIONS = {
    "bff": "bff.yaml",
    "bff.frontends": "Frontends",
    "bff.services": "Services",
    "bff.services.credentials": "Credentials",
    "bff.services.credentials.basic": "Basic credentials",
    "bff.services.credentials.api_key": "An API key",
    "bff.services.credentials.exchange": "Token requests",
    "bff.services.credentials.client": "Token requests",
    "bff.services.tls": "TLS",
    "bff.services.links": "Links",
    "bff.services.limit": "Limits of a service",
    "bff.services.retry": "Retries",
    "bff.services.breaker": "Circuit breakers",
    "bff.services.eject": "Several addresses",
    "bff.providers": "Providers",
    "bff.providers.tls": "TLS",
    "bff.issuers": "Issuers",
    "bff.issuers.tls": "TLS",
    "bff.session": "The session",
    "bff.limits": "Limits",
    "bff.cache": "The cache store",
    "view.cache": "Caching",
    "view.calls.cache": "Caching",
    "view.call.cache": "Caching",
    "call.cache": "Caching",
    "view": "Views",
    "view.require": "Access",
    "view.params": "Parameters",
    "view.params.items": "Parameters",
    "view.answer": "Redirects and locations",
    "view.refuse": "Refusals",
    "view.calls": "Calls",
    "view.calls.batch": "Batches",
    "view.calls.pages": "Pages",
    "view.calls.retry": "Retries",
    "view.call": "Calls",
    "view.call.batch": "Batches",
    "view.call.pages": "Pages",
    "view.call.retry": "Retries",
    "relay": "Relays",
    "relay.require": "Access",
    "relay.fallback": "Fallback of a relay",
    "relay.credentials": "Credentials",
    "relay.credentials.basic": "Basic credentials",
    "relay.credentials.api_key": "An API key",
    "relay.credentials.exchange": "Token requests",
    "relay.credentials.client": "Token requests",
    "call": "Calls",
    "call.batch": "Batches",
    "call.pages": "Pages",
    "call.retry": "Retries",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `label` is its first line where that is a comment."""

    page: str
    line: int
    language: str
    text: str

    @property
    def label(self) -> str:
        first = self.text.splitlines()[0] if self.text else ""
        return first.removeprefix("# ") if first.startswith("# ") else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def blocks(language: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page.name, line, match[1], match[2]))
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@cache
def rows(heading: str, page: str = "configuration.md") -> list[str]:
    """The words in code of the first cells below a heading, up to the next one."""
    text = prose(DOCS / page)
    section = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert section, f"{page} has no heading `{heading}`"
    cells = re.findall(r"^\| (`[^|]*`) \|", section[1], re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


# -- every key ---------------------------------------------------------------------------------


def tables(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, set[str]]]:
    """Every table of a schema, with its keys."""
    if schema.get("additionalProperties") is False:
        yield path, set(schema["properties"])
        for name, each in schema["properties"].items():
            yield from tables(each, f"{path}.{name}")
    for each in schema.get("anyOf", ()):
        yield from tables(each, path)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from tables(schema[name], path)


ALL_TABLES = [each for kind in FILES for each in tables(schema_of(kind), kind)]


def test_every_table_of_the_language_has_a_section() -> None:
    assert {path for path, _ in ALL_TABLES} == set(SECTIONS)


@pytest.mark.parametrize(("path", "keys"), ALL_TABLES, ids=[path for path, _ in ALL_TABLES])
def test_every_key_is_documented_and_no_other(path: str, keys: set[str]) -> None:
    documented = rows(SECTIONS[path])
    assert len(documented) == len(set(documented)), "a key is documented twice"
    assert keys <= set(documented), f"undocumented in `{SECTIONS[path]}`"
    if path != "view.params.items":  # some of a parameter's
        assert set(documented) <= keys, f"`{SECTIONS[path]}` has keys that there are not"


def test_every_key_has_an_example() -> None:
    examples = "\n".join(block.text for block in blocks("yaml"))
    keys = {key for _, table in ALL_TABLES for key in table}
    unused = {key for key in keys if not re.search(rf"(?<![\w.]){re.escape(key)}:", examples)}
    assert unused <= {"head", "put", "delete"}  # written as their siblings are


def test_every_function_is_documented() -> None:
    listed = re.search(
        r"^JMESPath 1\.1 brings (.*)$", prose(DOCS / "configuration.md"), re.MULTILINE
    )
    assert listed
    brought = set(re.findall(r"`(\w+)`", listed[1]))
    assert brought == set(jmespath.functions.Functions.FUNCTION_TABLE)
    shown = "\n".join(block.text for block in blocks("jmespath"))
    own = FUNCTIONS.FUNCTION_TABLE.keys() - brought
    assert not [name for name in sorted(own) if not re.search(rf"\b{name}\(", shown)]


def test_every_word_that_no_call_can_be_called_is_documented() -> None:
    text = prose(DOCS / "configuration.md")
    sentence = re.search(r"A call can have any name .*?: (.*?)\.\n", text.replace("\n`", " `"))
    assert sentence
    assert set(re.findall(r"`(\w+)`", sentence[1])) == TAKEN


def test_every_setting_is_documented_and_no_other() -> None:
    used = {
        name
        for path in (ROOT / "bff").rglob("*.py")
        for name in re.findall(r"\bBFF_(?!NGINX)[A-Z]\w+", path.read_text())
    }
    assert set(rows("Settings of the process")) == used


def test_every_reason_of_an_outcome_is_documented() -> None:
    kinds: list[type[errors.BffError]] = [errors.BffError, errors.Unfillable]
    kinds += subclasses(errors.UpstreamError)
    raised = {str(kind.reason) for kind in kinds} | {"when", "dependency", "shape"}
    assert set(rows("Responses to the client")) == raised


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for each in kind.__subclasses__():
        if each.__module__ == kind.__module__:
            yield from subclasses(each)


# -- every example -----------------------------------------------------------------------------


def root_for(texts: Iterable[str]) -> str:
    """A bff.yaml with whatever services are named."""
    everything = "\n".join(texts)
    named = {"users", "orders", "catalog"}
    named |= set(re.findall(r"\b([a-z][a-z0-9_]*):/(?!/)", everything))
    services = {
        name: {"url": f"${{{name.upper()}_URL:-http://127.0.0.1:1}}", "links": {"under": "/"}}
        for name in sorted(named)
    }
    access = {"access": "session", "languages": ["en", "de"]}
    frontends = {"web": access, "mobile": access}
    return json.dumps({"version": 1, "frontends": frontends, "services": services})


def shared() -> dict[str, Node]:
    """The calls that the pages share, by name."""
    found = {}
    for block in blocks("yaml"):
        name = re.fullmatch(r"calls/(\w+)\.yaml", block.label)
        if name:
            found[name[1]] = parse(block.text, str(block), {})
    return found


def load_view(name: str, text: str) -> None:
    calls = shared()
    used = {call: node for call, node in calls.items() if f"use: {call}" in text}
    root = parse(root_for([text]), "bff.yaml", {})
    checked = check_config(assemble(root, {name: parse(text, name, {})}, used))
    doubts = {rule.id for rule in WARNINGS}  # an example shows one thing
    assert [each for each in checked.warnings if each.id not in doubts] == []


def load_calls(text: str) -> None:
    service = Service("any", PLACE, "http://127.0.0.1:1", 1.0, 1000)
    for name, call in map_of(call_reader(shared())).read(parse(text, "a call", {})).items():
        assert compile_call(call, service), name


def load(block: Block) -> None:
    """Read an example as what its first line says it is."""
    view = re.fullmatch(r"views/(\w+)\.yaml", block.label)
    relay = re.fullmatch(r"relays/(\w+)\.yaml", block.label)
    if relay:
        root = parse(root_for([block.text]), "bff.yaml", {})
        check_config(assemble(root, {}, {}, None, {relay[1]: parse(block.text, relay[1], {})}))
    elif view:
        load_view(view[1], block.text)
    elif block.label == "in a view":
        load_view("example", f"get: /example\n{block.text}")
    elif block.label == "bff.yaml":
        assemble(parse(block.text, "bff.yaml", {}), {}, {})
    elif re.fullmatch(r"calls/\w+\.yaml", block.label):
        load_calls("example:\n" + re.sub("^", "  ", block.text, flags=re.MULTILINE))
    elif block.label == "a call":
        load_calls(block.text)
    elif block.label == "in bff.yaml":
        assemble(parse(LEAST + block.text, "bff.yaml", {}), {}, {})
    else:
        map_of(TABLES[block.label]).read(parse(block.text, block.label, {}))


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_yaml_example_is_valid(block: Block, pages: Path) -> None:
    assert pages.is_dir()  # the functions that examples name are importable
    assert block.label, f"{block}: the first line says what it is, such as `# views/home.yaml`"
    load(block)


def test_every_function_gives_what_is_said() -> None:
    document = json.loads(next(b for b in blocks("json") if b.page == "configuration.md").text)
    lines = [line for block in blocks("jmespath") for line in block.text.splitlines()]
    for line in lines:
        text, _, wanted = line.partition(" → ")
        found = Expression(Source(text.strip(), PLACE)).value(document)
        assert found == json.loads(wanted) or wanted.strip() == '"…"', f"{text} is {found}"


# -- views in Python ---------------------------------------------------------------------------


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The files of python-views.md, as a configuration and modules beside it."""
    here = [b for kind in ("yaml", "python") for b in blocks(kind) if b.page == "python-views.md"]
    for block in here:
        folder = tmp_path / "config" if block.label.startswith("views/") else tmp_path
        path = folder / block.label
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    (tmp_path / "config/bff.yaml").write_text(root_for(block.text for block in here))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("shop_pages", "test_start"):
        sys.modules.pop(name, None)


def ask(pages: Path, method: str, target: str, catalog: Any = None, **given: Any) -> Any:
    """The answer of an example, on services as the page imagines them."""
    example = import_module("test_start")

    def plenty(request: Any) -> Any:
        replies = {"offers": [{"id": "o-1"}], "prices": [{"amount": 2}, {"amount": 4}]}
        own = replies.get(request.path.split("/")[1], {"title": request.path})
        return example.StubReply.json(own)

    def users(_: Any) -> Any:
        person = {"name": "Ada", "plan": "pro", "segment": "new", "currency": "EUR"}
        return example.StubReply.json(person)

    answerers = {"users": users, "orders": example.orders, "catalog": catalog or plenty}
    with example.StubServices(answerers) as services:
        addresses = {f"{name.upper()}_URL": url for name, url in services.urls.items()}
        checked = example.check(pages / "config", addresses)
        exchange = PoolExchange(checked.config.services, 8)
        ada = Principal("https://issuer.example", "ada")
        app = create_app(checked, exchange=exchange, authenticate=lambda *_: ada)
        answer = app.test_client().open(target, method=method, **given)
        exchange.close()
    return answer


def calls_of(answer: Any) -> dict[str, str]:
    members = answer.headers["BFF-Calls"].split(", ")
    return dict(sorted(each.split("=", 1) for each in members))


def test_the_same_view_both_ways(pages: Path) -> None:
    yaml, python = ask(pages, "GET", "/web/home"), ask(pages, "GET", "/web/start")
    assert yaml.status_code == python.status_code == 200
    assert yaml.json == python.json
    assert yaml.json["orders"] == [{"id": 1, "title": "/products/p-1"}]
    assert yaml.json["offers"] == [{"id": "o-1"}]
    assert calls_of(yaml) == calls_of(python)


def test_the_same_view_both_ways_with_a_service_away(pages: Path) -> None:
    example = import_module("test_start")
    yaml, python = (
        ask(pages, "GET", target, example.catalog) for target in ("/web/home", "/web/start")
    )
    assert yaml.json == python.json
    assert yaml.json["orders"] == [{"id": 1, "title": None}]
    assert {name: each[:6] for name, each in calls_of(yaml).items()} == {
        name: each[:6] for name, each in calls_of(python).items()
    }


def test_functions_for_one_part(pages: Path) -> None:
    answer = ask(pages, "POST", "/web/summary", json={"ids": ["b", "a"]})
    assert answer.json == {"for": "Ada", "mean": 3.0}


@pytest.mark.usefixtures("pages")
def test_the_tests_that_are_shown_pass() -> None:
    module = import_module("test_start")
    tests = [each for name, each in vars(module).items() if name.startswith("test_")]
    assert tests
    for each in tests:
        each()


# -- names, links, commands --------------------------------------------------------------------


@cache
def definitions(path: Path) -> frozenset[str]:
    """The functions, classes and methods that a module defines."""
    kinds = ast.FunctionDef | ast.ClassDef
    return frozenset(
        node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)
    )


def file_of(name: str) -> Path | None:
    """The file that a page means by `plan/plan.py` or `bff/plan/plan.py`."""
    folders = (ROOT / "bff", ROOT, ROOT / "config", DOCS)
    return next((path for folder in folders if (path := folder / name).exists()), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    if page.name in {"python-views.md", "configuration.md", "tutorial.md"}:
        return  # the files there are the reader's own
    named = re.findall(r"[\w./-]*\w+\.(?:py|toml|md|yaml)\b", prose(page))
    outside = {
        "bff.yaml",
        "gunicorn.conf.py",
        "recordings/live.py",
        "recordings/rules.toml",
    }  # the reader's own
    missing = [
        name
        for name in named
        if not file_of(name)
        and not (DOCS / name).exists()
        and name not in outside
        and "{" not in name
    ]
    assert not missing


@pytest.mark.parametrize("name", ["life-of-a-request.md", "architecture.md"])
def test_every_function_that_is_named_exists(name: str) -> None:
    everywhere = frozenset().union(*map(definitions, (ROOT / "bff").rglob("*.py")))
    for line in (DOCS / name).read_text().splitlines():
        files = [file for each in re.findall(r"`([\w/.]+\.py)`", line) if (file := file_of(each))]
        there = frozenset().union(*map(definitions, files)) if files else everywhere
        for span in re.findall(r"`([A-Za-z_][\w.]*)\(\)`", line):
            for part in span.split("."):
                assert part in there, f"{name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page: Path) -> None:
    there = frozenset().union(*map(definitions, (ROOT / "tests").rglob("test_*.py")))
    golden = {path.stem for path in (ROOT / "tests/golden").glob("*.yaml")}
    assert set(re.findall(r"`(test_\w+)`", page.read_text())) <= there
    assert set(re.findall(r"`golden/(\w+)`", page.read_text())) <= golden


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", prose(page)):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
            assert anchor in anchors, f"{page.name}: {target}#{anchor}"


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)", (DOCS / "README.md").read_text()))
    assert linked >= {page.name for page in PAGES} - {"README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_opens_by_saying_for_whom_it_is(page: Path) -> None:
    title, _, opening = page.read_text().partition("\n\n")
    assert title.startswith("# ")
    assert opening.startswith("For "), opening[:80]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and its subcommands, with the words that call it."""
    for name in COMMANDS:
        command: click.Command = import_module(f"bff.cli.{name}").command
        yield f"bff {name}", command
        for own, each in sorted(getattr(command, "commands", {}).items()):
            yield f"bff {name} {own}", each


def commands_page() -> str:
    """docs/commands.md, from the commands themselves."""
    parts = [COMMANDS_OPEN]
    for words, command in [("bff", main), *commands()]:
        context = click.Context(command, info_name=words, terminal_width=80, max_content_width=80)
        parts.append(f"## {words}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def test_the_commands_are_documented_as_they_are() -> None:
    assert COMMANDS_PAGE.read_text() == commands_page(), "run `make docs`"


def test_no_page_installs_somebody_elses_package() -> None:
    """`bff` on PyPI is another project; this distribution is `bff-proxy`."""
    pages = [ROOT / "README.md", *PAGES, *(ROOT / "bff").rglob("*.py")]
    installs = re.compile(r"\b(?:pip|pipx|uv tool|uv) install[^\n`]*[ '\"]bff(?![-\w./])")
    assert [str(page) for page in pages if installs.search(page.read_text())] == []


def test_every_option_is_explained() -> None:
    for name, command in commands():
        unexplained = [
            each.name
            for each in command.params
            if isinstance(each, click.Option) and not each.help and each.name != "port"
        ]
        assert not unexplained, name


if __name__ == "__main__":
    COMMANDS_PAGE.write_text(commands_page())
