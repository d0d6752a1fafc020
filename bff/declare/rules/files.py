"""Rules of files, their YAML, and the keys and values in them."""

from typing import Final

from bff.declare.rules.rule import Rule

FILES: Final = (
    Rule(
        "file-unreadable",
        "A file cannot be read",
        "It is missing, empty, too large, or its bytes are not UTF-8.",
        "A UTF-8 file below 1 MB that the process may read.",
    ),
    Rule(
        "file-name",
        "A file name that is not a valid name",
        "The name of a view, call or relay is that of its file, and used in expressions and the"
        " header `BFF-Calls`.",
        "Lower-case letters, digits and `_`, a letter first, and one file for each view.",
    ),
    Rule(
        "file-not-read",
        "A file that looks like configuration, but is not read",
        "Only YAML files directly in views, calls and relays, and Python files in views, are read.",
        "Move or rename the file.",
        may_be_ignored=True,
    ),
    Rule(
        "gunicorn-file",
        "A gunicorn.conf.py, which is not read",
        "The server is part of bff, and takes its settings from the environment; the file would"
        " have no effect.",
        "Delete it; set `BFF_BIND`, `BFF_WORKERS`, `BFF_THREADS` and the like, and for what they do"
        " not cover `GUNICORN_CMD_ARGS`. See docs/production.md.",
    ),
    Rule(
        "yaml-syntax",
        "The file is not YAML",
        "Nothing of the file can be read.",
        "Blanks for indentation, `key: value`, quotes around texts with braces or `: `.",
    ),
    Rule(
        "yaml-feature",
        "A feature of YAML that is not supported",
        "Aliases, tags, duplicate keys, keys that are not texts, and deep nesting are rejected, so"
        " that a file means what it shows.",
        "Views share calls by `calls/`.",
    ),
    Rule(
        "unquoted-braces",
        "A key in braces without a value",
        "YAML reads `{user.name}` as a mapping with the key `user.name` and a null.",
        'Quotes around a template, `"{user.name}"`; no braces around an expression, `user.name`.',
    ),
    Rule(
        "reference",
        "A reference that cannot be resolved",
        "The environment variable or file does not exist, so the value is unknown.",
        "`${NAME}` with the variable set, `${NAME:-default}` or `${file:/path}`.",
    ),
    Rule(
        "recording",
        "A recording, or the rules beside it, that cannot be used",
        "It cannot be replayed.",
        "Record it again, or correct it where the message says.",
    ),
    Rule(
        "setting",
        "An environment variable with an invalid value",
        "A setting of the process cannot be read.",
        "See the table of settings in docs/configuration.md.",
    ),
    Rule(
        "unknown-key",
        "An unknown key",
        "It would have no effect.",
        "The key in the hint; editors complete keys by the JSON Schema.",
    ),
    Rule(
        "missing-key",
        "A required key is missing",
        "Without it the mapping has no meaning.",
        "Add the key.",
    ),
    Rule(
        "wrong-type",
        "A value of the wrong type",
        "For example a text in place of a number, or a mapping in place of a list.",
        "See the key in docs/configuration.md.",
    ),
    Rule(
        "wrong-value",
        "An invalid value",
        "It has another form, is out of range, or is not one of the allowed words.",
        "See the key in docs/configuration.md.",
    ),
    Rule(
        "key-conflict",
        "Keys that exclude or need each other",
        "Together they contradict each other, or one of them has no effect without the other.",
        "Keep one of them, or add the one that is missing.",
    ),
    Rule(
        "taken-name",
        "A name that is taken or reserved",
        "It is already in use, or has a meaning in every expression.",
        "Another name.",
    ),
    Rule(
        "ignore",
        "An invalid comment `# bff: ignore`",
        "Its id is unknown, it has no reason, or the problem is an error.",
        "`# bff: ignore ID because REASON`.",
    ),
    Rule(
        "unused-ignore",
        "A comment that suppresses no problem",
        "It would suppress a future problem of that kind on the line.",
        "Remove it.",
        may_be_ignored=True,
    ),
)
