"""What views require of claims: by name or by a path, and only what is kept of anybody."""

import pytest

from bff.errors import Forbidden
from bff.model.principal import Principal
from bff.web.access.authenticate import AccessRule, authorize

BEFORE = """\
version: 1
frontends: {web: {access: session}, app: {access: [bearer]}, both: {access: [session, bearer]}}
services: {users: {url: 'http://127.0.0.1:1'}}
"""
PROVIDERS = """\
providers:
  shop: {issuer: 'https://id.example', client_id: c, auth: none, claims: [%s]}
  staff: {issuer: 'https://staff.example', client_id: c, auth: none, claims: [%s]}
"""
ISSUERS = "issuers: {i: {issuer: 'https://id.example', audience: a, claims: [%s]}}\n"
KEYCLOAK = {
    "realm_access": {"roles": ["admin", "user"]},
    "resource_access": {"my-client": {"roles": ["buyer"]}},
}


def view(claims, frontends="[web]", access="signed_in"):
    required = "\n".join(f"    {each}" for each in claims)
    return f"""\
get: /x
frontends: {frontends}
access: {access}
require:
  claims:
{required}
call: {{get: users:/x}}
"""


def rule_of(folder, claims, kept="roles"):
    root = BEFORE + PROVIDERS % (kept, kept)
    checked = folder.check({}, bff=root, home=None, x=view(claims))
    config = checked.config
    return AccessRule(config.frontends["web"], "signed_in", require=config.views[0].require)


def lets_in(rule, claims):
    try:
        authorize(Principal("https://id.example", "ada", claims=claims), rule)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("required", "good"),
    [
        ("realm_access.roles: admin", True),
        ("realm_access.roles: [boss, user]", True),
        ("realm_access.roles: boss", False),
        ("realm_access.groups: admin", False),
        ("realm_access: admin", False),
        ("'resource_access.\"my-client\".roles': buyer", True),
        ("'resource_access.\"my-client\".roles': seller", False),
        ("resource_access.*.roles[]: buyer", True),
        ("\"contains(realm_access.roles, 'admin')\": true", True),
        ("\"contains(realm_access.roles, 'boss')\": true", False),
        ("\"contains(realm_access.groups, 'boss')\": true", False),
    ],
)
def test_a_claim_is_found_by_its_path(folder, required, good):
    rule = rule_of(folder, [required], "realm_access, resource_access")
    assert lets_in(rule, KEYCLOAK) is good
    assert not lets_in(rule, {})
    assert not lets_in(rule, {"realm_access": None, "resource_access": "admin"})


@pytest.mark.parametrize("name", ["https://shop.example/roles", "cognito:groups", "x-roles", "a.b"])
def test_a_name_that_is_no_path_stands_for_itself(folder, name):
    rule = rule_of(folder, [f"'{name}': admin"], f"'{name}'")
    assert lets_in(rule, {name: ["admin"]})
    assert not lets_in(rule, {name: ["user"]})
    assert not lets_in(rule, {})


@pytest.mark.parametrize(
    ("required", "name"),
    [
        ("roles: admin", "roles"),
        ("realm_access.roles: admin", "realm_access"),
        ("'https://shop.example/roles': admin", "https://shop.example/roles"),
        ("\"contains(groups, 'x')\": true", "groups"),
        ("\"'admin'\": admin", "'admin'"),  # reads no claim: true of everybody
        ("'`true`': true", "`true`"),
    ],
)
def test_what_nobody_keeps_cannot_be_required(folder, required, name):
    root = BEFORE + PROVIDERS % ("name", "plan")
    (problem,) = folder.problems(bff=root, home=None, x=view([required]))
    assert not problem.warning
    assert str(problem.place).startswith("views/x.yaml:6:")
    assert "is required, and no provider or issuer of `web` stores it" in problem.message
    assert problem.hint.startswith(f"`claims: [{name}]`")


@pytest.mark.parametrize("name", ["realm_access.roles", "resource_access.shop.roles", "a.b"])
def test_a_path_among_the_claims_that_are_kept_is_doubtful(folder, name):
    """It keeps nothing of Keycloak's claim, and nobody would be let in."""
    root = BEFORE + PROVIDERS % (name, "name") + ISSUERS % name
    checked = folder.check({}, bff=root, home=None, x=view([f"{name}: admin"]))
    assert [each.message for each in checked.warnings] == [
        f"`{name}` is read as the name of a claim here, not as a path into one"
    ] * 2
    assert {each.hint.split()[0] for each in checked.warnings} == {f"`{name.partition('.')[0]}`"}
    assert [str(each.place).startswith("bff.yaml:") for each in checked.warnings] == [True, True]


@pytest.mark.parametrize(
    "name", ["https://shop.example/roles", "cognito:groups", "urn:a.b", "roles"]
)
def test_a_name_that_can_be_no_path_is_not_doubted(folder, name):
    root = BEFORE + PROVIDERS % (f"'{name}'", "name")
    assert folder.check({}, bff=root, home=None, x=view([f"'{name}': admin"])).warnings == ()


def test_a_relay_cannot_require_it_either(folder):
    root = BEFORE + PROVIDERS % ("name", "plan")
    relay = "relay: /a -> users:/a\nfrontends: [web]\nrequire: {claims: {roles: admin}}\n"
    (folder.path / "relays").mkdir()
    (folder.path / "relays/a.yaml").write_text(relay)
    (problem,) = folder.problems(bff=root, home=None)
    assert "`roles` is required" in problem.message


def test_it_is_enough_that_one_of_them_keeps_it(folder):
    root = BEFORE + PROVIDERS % ("name", "roles")
    assert folder.check({}, bff=root, home=None, x=view(["roles: admin"])).warnings == ()


def test_where_it_is_kept_at_one_frontend_only_that_is_doubtful(folder):
    root = BEFORE + PROVIDERS % ("roles", "roles") + ISSUERS % "name"
    checked = folder.check({}, bff=root, home=None, x=view(["roles: admin"], "[web, app, both]"))
    (problem,) = checked.warnings
    assert "no provider or issuer of `app` stores it" in problem.message


def test_of_whom_nobody_vouches_nothing_is_known(folder):
    """Such a configuration is told of otherwise: nobody can sign in."""
    assert folder.check({}, bff=BEFORE, home=None, x=view(["roles: admin"])).warnings == ()
