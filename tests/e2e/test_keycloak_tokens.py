"""Tokens of Keycloak: rotated, exchanged, shown by a mobile app; and what their roles open."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.e2e.browser import until
from tests.e2e.providers.keycloak import Keycloak
from tests.e2e.providers.keycloak_realm import claims_of
from tests.e2e.providers.keycloak_site import (
    TOKEN_SECONDS,
    Site,
    ends,
    has_ended,
    is_signed_in,
    refreshed,
    site_at,
    token_of,
)
from tests.e2e.serving import Answer, Line, Visitor

pytestmark = pytest.mark.large
AT_ONCE = 64
EXPIRIES = 3
EXCHANGES = "TOKEN_EXCHANGE", "TOKEN_EXCHANGE_ERROR"
REFRESHES = "REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"


@pytest.fixture(scope="module")
def site(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(keycloak, tmp_path_factory.mktemp("tokens"), "tokens") as site:
        yield site


@pytest.fixture
def ada(site: Site) -> Iterator[Visitor]:
    """She is signed in."""
    with site.app.visitor() as visitor:
        site.sign_in(visitor)
        yield visitor


@pytest.fixture
def admin(site: Site) -> Iterator[Visitor]:
    """Somebody with a hundred roles, who is signed in."""
    with site.app.visitor() as visitor:
        site.sign_in(visitor, "admin")
        yield visitor


@pytest.fixture
def lines(site: Site) -> Iterator[list[Line]]:
    """Connections to both processes of the app, as many to each."""
    with site.app.lines(AT_ONCE // 2) as found:
        yield [each for of_process in found.values() for each in of_process]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield executor


def counts(site: Site, kinds: tuple[str, ...]) -> list[int]:
    return [site.realm.count(each) for each in kinds]


def at_once(
    pool: ThreadPoolExecutor, lines: list[Line], ask: Callable[[Line], Answer]
) -> list[Answer]:
    """What each line is answered, when all ask together."""
    barrier = Barrier(len(lines))

    def asked(line: Line) -> Answer:
        barrier.wait()
        return ask(line)

    answers = list(pool.map(asked, lines))
    assert [each.status for each in answers] == [200] * len(lines)
    assert len({each.worker for each in answers}) == 2
    return answers


def test_of_64_requests_of_two_processes_one_refreshes(
    site: Site, ada: Visitor, lines: list[Line], pool: ThreadPoolExecutor
) -> None:
    """Keycloak takes no refresh token twice here, and ends the session of one that comes again."""
    granted, failed = counts(site, REFRESHES)
    tokens = [token_of(ada)]
    for _ in range(EXPIRIES):
        has_ended(tokens[-1])
        answers = at_once(pool, lines, lambda line: line.ask("/web/echo", ada.session))
        (token,) = {each.json["token"] for each in answers}
        tokens.append(token)
    assert len(set(tokens)) == EXPIRIES + 1
    assert counts(site, REFRESHES) == [granted + EXPIRIES, failed]
    assert is_signed_in(ada)


def test_a_token_is_refreshed_once_while_64_clients_ask_all_the_time(
    site: Site, ada: Visitor, lines: list[Line], pool: ThreadPoolExecutor
) -> None:
    granted, failed = counts(site, REFRESHES)
    seen = {token_of(ada)}

    def ask(line: Line) -> None:
        while len(seen) <= EXPIRIES:
            answer = line.ask("/web/echo", ada.session)
            assert answer.status == 200, answer.body
            seen.add(answer.json["token"])

    list(pool.map(ask, lines, timeout=EXPIRIES * TOKEN_SECONDS * 6))
    assert counts(site, REFRESHES) == [granted + len(seen) - 1, failed]


def test_a_session_gets_a_token_for_one_service(ada: Visitor) -> None:
    found = ada.ask("/web/orders")
    assert found.status_code == 200, found.text
    exchanged = claims_of(found.json()["token"])
    own = claims_of(token_of(ada))
    assert (exchanged["aud"], exchanged["azp"]) == ("orders", "shop")
    assert (exchanged["sub"], exchanged["sid"]) == (own["sub"], own["sid"])
    assert found.json()["active"]


def test_of_64_requests_of_two_processes_one_exchanges(
    site: Site, ada: Visitor, lines: list[Line], pool: ThreadPoolExecutor
) -> None:
    exchanged, failed = counts(site, EXCHANGES)
    answers = at_once(pool, lines, lambda line: line.ask("/web/orders", ada.session))
    (token,) = {each.json["token"] for each in answers}
    assert counts(site, EXCHANGES) == [exchanged + 1, failed]
    has_ended(token)
    answers = at_once(pool, lines, lambda line: line.ask("/web/orders", ada.session))
    assert {each.json["token"] for each in answers}.isdisjoint({token})
    assert counts(site, EXCHANGES) == [exchanged + 2, failed]


def test_a_mobile_app_has_its_token_exchanged(site: Site) -> None:
    token = site.realm.token("ada")
    found = site.bearer("/mobile/orders", token)
    assert found.status_code == 200, found.text
    assert claims_of(found.json()["token"])["aud"] == "orders"
    assert claims_of(found.json()["token"])["sub"] == claims_of(token)["sub"]


def test_the_token_of_a_mobile_app_whose_session_has_ended_is_exchanged_no_more(
    site: Site, admin: Visitor
) -> None:
    token = site.realm.token("ada")
    site.realm.end_session(claims_of(token)["sid"])
    refused = site.bearer("/mobile/orders", token)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    assert admin.ask("/web/orders").status_code == 200


def test_a_session_whose_token_is_for_an_audience_that_keycloak_does_not_allow_goes_on(
    ada: Visitor,
) -> None:
    """It says `invalid_request`, as for a token that is none; but then a fresh one would do."""
    refused = ada.ask("/web/stock")
    assert refused.status_code == 502, refused.text
    assert is_signed_in(ada)
    assert ada.ask("/web/orders").status_code == 200


def test_an_exchange_that_is_not_enabled_signs_nobody_out(site: Site, ada: Visitor) -> None:
    site.realm.set_client(standard__token__exchange__enabled="false")
    try:
        assert ada.ask("/web/orders").status_code == 502
        assert is_signed_in(ada)
    finally:
        site.realm.set_client(standard__token__exchange__enabled="true")
    until(lambda: ada.ask("/web/orders").status_code == 200, "its exchange", within=30)


@pytest.mark.parametrize("view", ["audit", "support"])
def test_a_role_by_its_path_opens_a_view(
    site: Site, ada: Visitor, admin: Visitor, view: str
) -> None:
    """`realm_access.roles`, and those of a client in `resource_access`."""
    assert admin.ask(f"/web/{view}").status_code == 200
    assert ada.ask(f"/web/{view}").status_code == 403
    assert site.bearer(f"/mobile/{view}", site.realm.token("admin")).status_code == 200
    assert site.bearer(f"/mobile/{view}", site.realm.token("ada")).status_code == 403


def test_a_hundred_roles_fit_into_what_a_mobile_app_sends(site: Site) -> None:
    token = site.realm.token("admin")
    assert len(token) > 7000
    found = site.bearer("/mobile/orders", token)
    assert found.status_code == 200, found.text
    assert len(found.json()["realm_access"]["roles"]) > 100


@pytest.mark.parametrize("other", ["an ID token", "a refresh token", "of another client"])
def test_what_is_no_access_token_for_us_opens_nothing(site: Site, other: str) -> None:
    found = {
        "an ID token": lambda: site.realm.tokens("ada")["id_token"],
        "a refresh token": lambda: site.realm.tokens("ada")["refresh_token"],
        "of another client": lambda: site.realm.tokens("ada", "admin-cli")["access_token"],
    }[other]()
    assert site.bearer("/mobile/orders", found).status_code == 401


def test_keys_are_replaced_while_people_are_signed_in(
    site: Site, ada: Visitor, admin: Visitor
) -> None:
    """One test for all keys: unknown ones have a process fetch them once in 30 seconds at most."""
    early, unseen = site.realm.token("ada"), site.realm.token("ada")
    assert site.bearer("/mobile/orders", early).status_code == 200
    with site.app.visitor() as leaver, site.app.visitor() as newcomer:
        site.sign_in(leaver)
        old = site.realm.add_key("RS256")
        late = site.realm.token("ada")
        for token in (early, late):
            assert site.bearer("/mobile/orders", token).status_code == 200
        site.sign_in(newcomer)
        refreshed(ada)
        for visitor in (ada, newcomer):
            assert visitor.ask("/web/orders").status_code == 200

        site.realm.remove_key(old)
        assert site.bearer("/mobile/orders", late).status_code == 200
        assert site.bearer("/mobile/orders", unseen).status_code == 401
        for visitor in (ada, admin, newcomer):
            assert visitor.ask("/web/orders").status_code == 200
        signs_out_with_an_unknown_hint(site, leaver)

        old = site.realm.add_key("HS512")
        refreshed(ada)
        site.realm.sign_out("admin")
        assert not is_signed_in(admin), "a logout token by the new key counts"
        site.realm.remove_key(old)
        refreshed(ada)
        ends(newcomer)


def signs_out_with_an_unknown_hint(site: Site, leaver: Visitor) -> None:
    """Keycloak refuses an ID token of a key that it has no more; its session has ended before."""
    page = leaver.go(leaver.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"])
    assert "id_token_hint" in page.text
    assert not is_signed_in(leaver)
    site.form(leaver)
