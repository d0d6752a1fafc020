"""Tables: the first line says which column is secret."""

import pytest

from bff.dev.rules import RedactionRules
from tests.dev.redaction.test_redact_corpus import leaks, reply, saved

SECRET = "Zebra-Kiwi9917xQ"


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("text/csv", "id,password\n1,{}\n"),
        ("text/csv; charset=utf-8", '\ufeffid;"api key"\r\n1;"{}"\r\n'),
        ("application/csv", 'id,password,n\n1\n"q""x",{},3,4\n'),
        ("text/tab-separated-values", "id\taccess_token\n1\t{}\n"),
    ],
)
def test_a_secret_column_is_redacted(kind, table, tmp_path):
    written, refused = saved(tmp_path, reply(kind, table.format(SECRET)))
    assert not refused
    assert not leaks(written, SECRET)


def test_rules_name_a_column(tmp_path):
    rules = RedactionRules(paths=("note",))
    made = reply("text/csv", f"id,note\n1,{SECRET}\n")
    written, refused = saved(tmp_path, made, rules=rules)
    assert not refused
    assert not leaks(written, SECRET)


def test_any_other_table_is_written_as_it_came(tmp_path):
    table = "id, email,sha\r\n1,'a',9b2cf535f27731c974343645a39853289b2cf535\r\n"
    written, refused = saved(tmp_path, reply("text/csv", table))
    assert not refused
    assert table.replace("\r\n", "\\r\\n") in written


def test_what_is_no_table_is_not_saved(tmp_path):
    _, refused = saved(tmp_path, reply("text/csv", 'a,password\n1,"' + "x" * 140_000 + '"\n'))
    assert refused
