"""A secret that a file refers to stands in no message, no plan and no log."""

import pytest
from click.testing import CliRunner

from bff.cli import main
from bff.declare.check import check
from bff.errors import ConfigError

SECRET = "s3cret-marker"
ROOT = """\
version: 1
frontends: {web: {access: none}}
services:
  s: {url: "http://127.0.0.1:1", headers: {X-Key: "${file:KEY}"}}
"""
WRONG = [
    'get: "/x${KEY} y"\ncall: {get: s:/x}\n',
    'get: /x\ncall: {get: "s:/x", path: "foo.${KEY} bar"}\n',
    'get: /x\ncall: {get: "s:/x", when: "nothing(\'${KEY}\')"}\n',
    'get: /x\ncall: {get: "s:/${KEY}?x"}\n',
    'get: /x\ncall: {get: "${KEY}:/x"}\n',
    'get: /x\ncall: {get: s:/x, timeout: "${KEY}"}\n',
    'get: /x\ncall: {get: s:/x, decode: "${KEY}"}\n',
    "get: /x\ncall: {get: s:/x, query: {a: \"{join('${KEY}')}\"}}\n",
    'get: /x\naccess: "${KEY}"\ncall: {get: s:/x}\n',
    'get: /x\nsunset: "${KEY}"\ncall: {get: s:/x}\n',
    'get: /x\nparams: {a: {pattern: "${KEY}("}}\ncall: {get: s:/x}\n',
    'get: /x\nparams: {a: {type: integer, default: "${KEY}"}}\ncall: {get: s:/x}\n',
    'get: /x\nrequire_any: ["${KEY}"]\ncall: {get: s:/x}\n',
    'get: /x\nshape_with: "${KEY}:x"\ncall: {get: s:/x}\n',
    'get: /x\ncalls: {a: {get: s:/x, after: "${KEY}"}}\nshape: a\n',
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "views").mkdir()
    (tmp_path / "KEY").write_text(SECRET)
    (tmp_path / "bff.yaml").write_text(ROOT.replace("KEY", str(tmp_path / "KEY")))
    return tmp_path


@pytest.mark.parametrize("view", WRONG)
def test_no_message_tells_a_secret(folder, view):
    (folder / "views/x.yaml").write_text(view)
    with pytest.raises(ConfigError) as caught:
        check(folder, {"KEY": SECRET})
    assert SECRET not in str(caught.value)


def test_no_plan_tells_a_secret(folder, monkeypatch):
    view = "get: /x\ncall: {get: 's:/${KEY}/x', when: \"frontend != '${KEY}'\"}\n"
    (folder / "views/x.yaml").write_text(view)
    monkeypatch.setenv("KEY", SECRET)
    for words in (["explain", "x", "--json"], ["explain", "x"], ["routes"], ["check"]):
        done = CliRunner().invoke(main, [*words, "--config", str(folder)])
        assert done.exit_code == 0, done.output
        assert SECRET not in done.output
