"""Rules about files, their YAML, and the keys and values in them."""

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
        "A file's name is not a name of the language",
        "The name of a view, call or relay is that of its file; names are used in expressions and"
        " in the header `BFF-Calls`.",
        "Small letters, digits and `_`, a letter first, and one file for each view.",
    ),
    Rule(
        "file-not-read",
        "A file looks like configuration and is not read",
        "Only YAML files directly in views, calls and relays, and Python files in views, are read.",
        "Move or rename the file.",
        may_be_ignored=True,
    ),
    Rule(
        "gunicorn-file",
        "A gunicorn.conf.py is there and not read",
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
        "A feature of YAML that the language does not have",
        "Aliases, tags, keys that are no text or stand twice, and deep nesting are refused, so that"
        " a file means what it shows.",
        "What several views share stands in `calls/`.",
    ),
    Rule(
        "unquoted-braces",
        "A key in braces without a value",
        "YAML reads `{user.name}` as a mapping with the key `user.name` and a null.",
        'Quotes around a template, `"{user.name}"`; no braces around an expression, `user.name`.',
    ),
    Rule(
        "reference",
        "A reference to the environment leads nowhere",
        "The variable or file is not there, so the value is unknown.",
        "`${NAME}`, `${NAME:-default}` or `${file:/path}`, and the variable set.",
    ),
    Rule(
        "recording",
        "A recording, or the rules beside it, cannot be used",
        "Nothing could be replayed from it.",
        "Record it again, or correct it where the message says.",
    ),
    Rule(
        "setting",
        "A variable of the environment has a wrong value",
        "A setting of the process cannot be read.",
        "See the table of settings in docs/configuration.md.",
    ),
    Rule(
        "unknown-key",
        "A key that the language does not have",
        "It would be ignored, and with it what it was meant to do.",
        "The key that the hint names; editors complete keys by the schema.",
    ),
    Rule(
        "missing-key",
        "A key that is required is missing",
        "Without it the mapping means nothing.",
        "Add the key.",
    ),
    Rule(
        "wrong-type",
        "A value of another type than its key takes",
        "A text where a number belongs, a mapping where a list belongs.",
        "See the key in docs/configuration.md.",
    ),
    Rule(
        "wrong-value",
        "A value that its key does not take",
        "It has another form, lies outside the allowed range, or is not one of the allowed words.",
        "See the key in docs/configuration.md.",
    ),
    Rule(
        "key-conflict",
        "Keys that exclude or need each other",
        "Together they contradict each other; alone, one of them has no effect.",
        "Keep one of them, or add the one that is missing.",
    ),
    Rule(
        "taken-name",
        "A name that is taken",
        "Two things would have it, or it has a meaning in every expression.",
        "Another name.",
    ),
    Rule(
        "ignore",
        "A comment `# bff: ignore` that cannot be followed",
        "It names no rule or gives no reason, or the rule is an error.",
        "`# bff: ignore ID because REASON`.",
    ),
    Rule(
        "unused-ignore",
        "A comment ignores what is not there",
        "It would hide the next problem of that kind on the line.",
        "Remove it.",
        may_be_ignored=True,
    ),
)
