"""Whatever is done to the shop's files, checking them ends with a verdict."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.declare.check import check
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.errors import ConfigError
from tests.examples import examples

SHOP = Path(__file__).parents[2] / "config"
FILES = sorted(str(path.relative_to(SHOP)) for path in SHOP.rglob("*.yaml"))
TEXTS = {name: (SHOP / name).read_text() for name in FILES}
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    '"',
    "'",
    "|",
    "&a ",
    "*a",
    "!t ",
    "~",
    "\t",
    "`",
    "\0",
]
PIECES += [
    "#",
    "\n",
    "\n  ",
    "null",
    "true",
    "NO",
    "1e999",
    "9" * 30,
    "é",
    "\\",
    "${",
    "${X}",
    "- ",
]
PIECES += [
    "each: ",
    "use: user",
    "{item}",
    "{@}",
    "@",
    "!",
    "0",
    "-1",
    "..",
    "%",
    "get: ",
    "[]",
    "{}",
]
LINES = [line for text in TEXTS.values() for line in text.splitlines()]
EDIT = st.tuples(
    st.sampled_from(
        ["drop", "double", "swap", "indent", "insert", "cut", "replace", "take", "word"]
    ),
    st.integers(0, 10_000),
    st.sampled_from(PIECES),
    st.sampled_from(LINES),
)


def edited(text, edit):
    kind, number, piece, other = edit
    lines = text.splitlines(keepends=True) or [""]
    line, char = number % len(lines), number % (len(text) + 1)
    if kind == "drop":
        del lines[line]
    elif kind == "double":
        lines.insert(line, lines[line])
    elif kind == "swap":
        lines[line], lines[0] = lines[0], lines[line]
    elif kind == "indent":
        lines[line] = "  " + lines[line]
    elif kind == "take":
        lines[line] = other + "\n"
    elif kind == "word":  # another word where one stood
        words = lines[line].split(" ")
        words[number % len(words)] = piece
        lines[line] = " ".join(words)
    elif kind == "insert":
        return text[:char] + piece + text[char:]
    elif kind == "cut":
        return text[:char] + text[char + 1 + number % 7 :]
    else:
        return text[:char] + piece + text[char + 1 :]
    return "".join(lines)


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
@settings(max_examples=examples(600), deadline=None)
@given(st.sampled_from(FILES), st.lists(EDIT, min_size=1, max_size=3))
def test_any_edit_of_the_shop_is_good_or_a_config_error(name, edits):
    text = TEXTS[name]
    for edit in edits:
        text = edited(text, edit)
    with tempfile.TemporaryDirectory() as folder:
        for each in FILES:
            path = Path(folder) / each
            path.parent.mkdir(exist_ok=True)
            path.write_text(text if each == name else TEXTS[each])
        try:
            check(Path(folder), {})
        except ConfigError as error:
            problems = error.problems
            assert problems
            assert all(each.place.line >= 1 and each.place.column >= 1 for each in problems)
            assert all(each.message for each in problems)


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
@settings(max_examples=examples(400), deadline=None)
@given(
    st.sampled_from(["root", "view", "call"]),
    st.recursive(
        st.sampled_from(
            ["a", "users:/x", "7", "~", "true", "'{a}'", "get", "1s", "NO", "[]", "{}"]
        ),
        lambda inner: (
            st.lists(inner, max_size=2).map(lambda each: f"[{', '.join(each)}]")
            | st.dictionaries(
                st.sampled_from(
                    [
                        "get",
                        "call",
                        "calls",
                        "a",
                        "shape",
                        "each",
                        "batch",
                        "use",
                        "query",
                        "status",
                        "params",
                        "x",
                        "key",
                        "json",
                        "headers",
                        "frontends",
                        "services",
                        "version",
                        "404",
                        "url",
                        "access",
                        "when",
                        "after",
                        "fallback",
                        "path",
                        "into",
                        "true",
                        "~",
                    ]
                ),
                inner,
                max_size=4,
            ).map(
                lambda each: "{" + ", ".join(f"{key}: {value}" for key, value in each.items()) + "}"
            )
        ),
        max_leaves=10,
    ),
)
def test_any_tree_of_known_words_is_good_or_a_config_error(where, text):
    root = "{version: 1, frontends: {web: {access: none}}, services: {users: {url: 'http://h'}}}"
    view = "{get: /a, calls: {a: {use: shared}}, shape: a}"
    texts = {"root": root, "view": view, "call": "{get: users:/x}"} | {where: text}
    try:
        loaded = {name: parse(each, f"{name}.yaml", {}) for name, each in texts.items()}
        assemble(loaded["root"], {"home": loaded["view"]}, {"shared": loaded["call"]})
    except ConfigError as error:
        problems = error.problems
        assert problems
