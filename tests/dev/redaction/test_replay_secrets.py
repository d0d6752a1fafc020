"""What was recorded with a pseudonym answers a request with the secret, wherever it stands."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from bff.dev.recordings.archive import Archive
from bff.dev.recordings.match import RequestKey
from bff.dev.recordings.replay_cursor import replay_cursors
from bff.dev.redaction.declared import NOTHING, DeclaredSecrets
from bff.dev.rules import read_rules
from bff.plan.bodies import encode_form, encode_json, encode_multipart
from tests.dev.sample_exchanges import exchanged

FORM = "application/x-www-form-urlencoded"
SECRET = "hunter-22/é"
LOGIN = exchanged("users", "/login", b"{}", posted=b'{"token": "hunter-22/\xc3\xa9"}')


def cursor(folder, target="/x", body=b"", rules="", secrets=NOTHING):
    (folder / "rules.toml").write_text(rules)
    asked = exchanged("users", target, b'{"yes": 1}', posted=body)
    kind = "multipart/form-data" if body.startswith(b"--") else FORM
    kind = "application/json" if body.startswith((b"{", b"\xef\xbb\xbf{")) else kind
    sent = replace(asked.request, headers=(("content-type", kind),))
    made = [LOGIN, replace(asked, request=sent)]
    done = Archive(folder, b"a key", "all", secrets).save(made, read_rules(folder).redact)
    assert not done.refused
    assert SECRET not in (folder / "users.har").read_text()
    return replay_cursors(folder)["users"]


def answers(found, target="/x", body=b""):
    entry = found.next(RequestKey.target("POST" if body else "GET", target, body))
    return entry is not None and entry.content == b'{"yes": 1}'


@pytest.mark.parametrize("encode", [encode_form, encode_multipart, encode_json])
@pytest.mark.parametrize("name", ["password", "note"])
def test_a_body_with_a_secret_in_it_is_found_again(encode, name, tmp_path):
    _, body = encode({"user": "ada", name: SECRET})
    found = cursor(tmp_path, body=body)
    assert answers(found, body=body)
    _, other_order = encode({name: SECRET, "user": "ada"})
    assert answers(found, body=other_order)
    _, other = encode({"user": "grace", name: SECRET})
    assert not answers(found, body=other)


@pytest.mark.parametrize("name", ["token", "q"])
def test_so_is_a_target_with_one(name, tmp_path):
    target = f"/of/{quote(SECRET, '')}/x?a=1&{name}={quote(SECRET, '')}"
    found = cursor(tmp_path, target=target)
    assert answers(found, target)
    assert not answers(found, target.replace("a=1", "a=2"))
    assert not answers(found, target.replace("/x", "/y"))


def test_the_order_of_a_forms_fields_does_not_count_but_of_one_name(tmp_path):
    found = cursor(tmp_path, body=b"b=2&a=1&a=0")
    assert answers(found, body=b"a=1&b=2&a=0")
    assert not answers(found, body=b"a=0&b=2&a=1")


def test_two_peoples_pseudonyms_are_told_apart(tmp_path):
    made = [
        exchanged(
            "users", "/login", b'[{"token": "token-of-ada-1"}, {"token": "token-of-grace-2"}]'
        ),
        exchanged("users", "/of/token-of-ada-1", b'{"name": "ada"}'),
        exchanged("users", "/of/token-of-grace-2", b'{"name": "grace"}'),
    ]
    Archive(tmp_path, b"a key", "all").save(made, read_rules(tmp_path).redact)
    found = replay_cursors(tmp_path)["users"]
    for entry in found.recording.entries[1:]:
        asked = RequestKey.target("GET", entry.path)
        assert found.next(asked).content == entry.content


def test_a_declared_secret_in_a_path_is_found_again(tmp_path):
    found = cursor(tmp_path, "/bot4711-secret/send", secrets=DeclaredSecrets(("bot4711-secret",)))
    assert answers(found, "/bot4711-secret/send")


@pytest.mark.parametrize(
    "rule", ['paths = ["mail"]', 'paths = ["..mail"]', 'patterns = ["a@b.cc"]']
)
@pytest.mark.parametrize("encode", [encode_form, encode_multipart, encode_json])
def test_rules_name_a_field_of_a_form_and_it_is_found_again(rule, encode, tmp_path):
    _, body = encode({"mail": "a@b.cc", "n": "1"})
    found = cursor(tmp_path, body=body, rules=f"[redact]\n{rule}\n")
    assert "a@b.cc" not in (tmp_path / "users.har").read_text()
    assert answers(found, body=body)


def test_a_field_that_does_not_count_may_be_a_forms(tmp_path):
    found = cursor(tmp_path, body=b"at=1&n=1", rules='[match]\nignore_body = ["users:at"]\n')
    assert answers(found, body=b"n=1&at=2")
    assert answers(found, body=b"n=1")
    assert not answers(found, body=b"n=2&at=1")
