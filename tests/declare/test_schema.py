"""The JSON Schema of the configuration: it says what the readers say, no less and no more."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator

from bff.cli import main
from bff.declare import calls, config, credentials, pages, params, read, relays, services, views
from bff.declare.check import check
from bff.declare.load import core_scalar, parse
from bff.declare.schema import FILES, schema_of
from bff.errors import ConfigError
from tests.golden_case import read_case

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
GOLDEN = sorted((ROOT / "tests/golden").glob("**/*.yaml"))
VALIDATORS = {name: Draft7Validator(schema_of(name)) for name in FILES}
KINDS = {"bff.yaml": "bff", "views": "view", "calls": "call", "relays": "relay"}
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def as_editors_read(text):
    """The value of a file as an editor sees it: references are text, keys are too."""

    def plain(node):
        if isinstance(node, yaml.MappingNode):
            return {str(key.value): plain(value) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [plain(each) for each in node.value]
        return node.value if node.style else core_scalar(node.value)

    return plain(yaml.compose(text, Loader=yaml.BaseLoader))


def faults(kind, text):
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in VALIDATORS[kind].iter_errors(as_editors_read(text))
    ]


def kind_of(name):
    return KINDS[name.split("/")[0]]


def yaml_files(folder):
    """Files of the language; manifests that stand beside them are none."""
    return sorted(each for each in folder.glob("**/*.yaml") if each.parent.name != "kubernetes")


@pytest.mark.parametrize("name", FILES)
def test_it_is_draft_7(name):
    schema = schema_of(name)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("path", yaml_files(CONFIG), ids=lambda path: str(path.relative_to(CONFIG)))
def test_shipped_files_are_as_it_says(path):
    kind = kind_of(str(path.relative_to(CONFIG)))
    assert faults(kind, path.read_text()) == []


@pytest.mark.parametrize("path", yaml_files(CONFIG), ids=lambda path: str(path.relative_to(CONFIG)))
def test_shipped_files_name_it_in_their_first_line(path):
    found = MODELINE.fullmatch(path.read_text().splitlines()[0])
    assert found, "# yaml-language-server: $schema=… is missing"
    kind = kind_of(str(path.relative_to(CONFIG)))
    assert (path.parent / found[1]).resolve() == CONFIG / f"schema/{kind}.json"


@pytest.mark.parametrize("name", FILES)
def test_shipped_schemas_are_what_the_command_prints(name):
    done = CliRunner().invoke(main, ["schema", name])
    assert done.exit_code == 0
    assert done.output == (CONFIG / f"schema/{name}.json").read_text(), "run `bff schema --write`"
    assert json.loads(done.output) == schema_of(name)


def test_the_command_writes_all_of_them(tmp_path):
    done = CliRunner().invoke(main, ["schema", "--write", str(tmp_path / "a/b")])
    assert done.exit_code == 0
    for name in FILES:
        written = (tmp_path / f"a/b/{name}.json").read_bytes()
        assert written == (CONFIG / f"schema/{name}.json").read_bytes()
    assert sorted(path.stem for path in (CONFIG / "schema").iterdir()) == sorted(FILES)


def test_the_command_says_what_it_needs():
    assert CliRunner().invoke(main, ["schema"]).exit_code == 2
    assert CliRunner().invoke(main, ["schema", "nothing"]).exit_code == 2


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_that_load_are_as_it_says(path, tmp_path):
    case = read_case(path)
    case.write(tmp_path)
    environ = {f"{name.upper()}_URL": "http://127.0.0.1:1" for name in case.services}
    try:
        check(tmp_path, environ | dict(case.environ))
    except ConfigError:
        return
    for name, text in case.files.items():
        if name.endswith(".yaml"):
            assert faults(kind_of(name), text) == [], name


# -- every key ---------------------------------------------------------------------------------


PARTS = (".REQUEST_KEYS", ".ACCESS_KEYS", ".OF_STREAMS", ".POLICY_KEYS")  # of other tables


def tables():
    """Every table of keys that the readers have, by the name of its module and itself."""
    for module in (calls, config, credentials, pages, params, read, relays, services, views):
        for name, found in vars(module).items():
            if (
                isinstance(found, dict)
                and found
                and all(isinstance(each, read.Key) for each in found.values())
            ):
                yield f"{module.__name__}.{name}", found
    yield "views.view_keys", views.view_keys({})


def properties(schema):
    """Every mapping of properties anywhere in a schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from properties(each)
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema["properties"]
        for each in schema.values():
            yield from properties(each)


@pytest.mark.parametrize(("name", "keys"), [pytest.param(*each, id=each[0]) for each in tables()])
def test_every_key_is_in_it_and_says_what_it_is_for(name, keys):
    everywhere = [found for kind in FILES for found in properties(schema_of(kind))]
    holding = [found for found in everywhere if keys.keys() <= found.keys()]
    if name.endswith(PARTS):
        assert holding
        return
    same = [found for found in holding if found.keys() - keys.keys() <= {"use"}]
    assert same
    for key, declared in keys.items():
        assert same[0][key]["description"] == declared.about
        assert declared.about.endswith(".")


def test_there_are_tables():
    assert len(list(tables())) >= 6


def test_everything_in_it_is_described():
    for kind in FILES:
        for found in properties(schema_of(kind)):
            assert [key for key, each in found.items() if not each.get("description")] == []


# -- it refuses what the readers refuse ----------------------------------------------------------


VIEW = "get: /home\ncall: {get: users:/me}\n"
CALL = "get: /home\ncall: {get: users:/me, %s}\n"
SERVICES = "version: 1\nfrontends: {web: {access: none}}\nservices: {%s}\n"
MISTAKES = [
    ("view", "call: {get: users:/me}\n"),
    ("view", VIEW + "post: /home\n"),
    ("view", VIEW + "shpe: user\n"),
    ("view", VIEW + "timeout: soon\n"),
    ("view", VIEW + "timeout: 5\n"),
    ("view", VIEW + "max_calls: 0\n"),
    ("view", VIEW + "strict: maybe\n"),
    ("view", VIEW + "access: everybody\n"),
    ("view", VIEW + "version: 0\n"),
    ("view", VIEW + "params: {a: {type: text}}\n"),
    ("view", VIEW + "refuse: [{when: a, status: 500, title: b}]\n"),
    ("view", VIEW + "refuse: [{when: a}]\n"),
    ("view", CALL % "decode: yaml"),
    ("view", CALL % "optional: [true]"),
    ("view", CALL % "pass: 404"),
    ("view", CALL % "batch: {get: users:/me}"),
    ("call", "fallback: []\n"),
    ("call", "get: users:/me\nretry: 3\n"),
    ("bff", SERVICES.replace("1", "2") % ""),
    ("bff", "version: 1\nservices: {}\n"),
    ("bff", SERVICES.replace("access", "acces") % ""),
    ("bff", SERVICES % "a: {timeout: 1s}"),
    ("bff", SERVICES % "a: {url: 'http://a', limit: 0}"),
    ("bff", SERVICES % "a: {url: 'http://a', credentials: mine}"),
    ("bff", SERVICES % "a: {url: 'http://a', credentials: {basic: {user: x}}}"),
]


@pytest.mark.parametrize(("kind", "text"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_seen_in_the_editor(kind, text):
    assert faults(kind, text)


REFERRED = "{basic: {user: '${U}', password: '${file:/run/x}'}}"
REFERENCES = [
    ("view", VIEW + "timeout: ${T:-1s}\nmax_calls: ${N}\nstrict: ${S}\naccess: ${A}\n"),
    ("view", VIEW + "deprecated: ${D}\nversion: ${V:-2}\nmax_body: ${M}\n"),
    ("view", CALL % "optional: '${O}', each: '${E}', max: '${M}', pass: ['${P}']"),
    (
        "bff",
        SERVICES.replace("none", "'${A}'") % "a: {url: '${U}', limit: '${L}', timeout: '${T}'}",
    ),
    ("bff", SERVICES % f"a: {{url: '${{U}}', credentials: {REFERRED}}}"),
]


@pytest.mark.parametrize(("kind", "text"), REFERENCES, ids=range(len(REFERENCES)))
def test_the_environment_may_stand_for_any_scalar(kind, text):
    assert faults(kind, text) == []


LIST = "{type: array, items: {type: integer, minimum: 1.5}, maxItems: 3, default: []}"
LOADED = [
    VIEW + "answer: 204\n",
    VIEW + "answer: call\n",
    "post: /x\nbody: true\ncall: {post: users:/x, json: '{body}'}\n",
    CALL % "query: {a: 1, b: null, c: [1, '{params.d}'], d: true}" + "params: {d: {}}\n",
    CALL % "status: {404: null, 410: reply, 500: [1]}, fallback: null",
    CALL % "each: {x: '[[`1`]]', y: x}, headers: {X: '{y}'}, max: 5, over: truncate",
    CALL % "after: []",
    VIEW + "shape: {a: 1, b: null, c: true, d: [call, \"'x'\"], e: {f: 1.5}}\n",
    VIEW + "deprecated: 2027-01-31\nsunset: 2027-02-28\nomit_null: true\n",
    VIEW + f"params: {{a: {LIST}}}\n",
]


@pytest.mark.parametrize("text", LOADED, ids=range(len(LOADED)))
def test_what_loads_is_not_marked(text, folder):
    folder.check(home=None, page=text + "access: public\n")
    assert faults("view", text) == []


def test_a_password_that_looks_like_a_number_loads_and_is_not_marked():
    text = SERVICES % "a: {url: 'http://a', credentials: {basic: {user: bff, password: 12345}}}"
    loads = config.ROOT.read(parse(text, "bff.yaml", {})).services["a"].secret
    assert bool(loads) == (faults("bff", text) == [])
