"""Rules about expressions, templates and the functions that they call."""

from typing import Final

from bff.declare.rules.rule import Rule

EXPRESSIONS: Final = (
    Rule(
        "expression-syntax",
        "An expression is not JMESPath",
        "It cannot be computed.",
        "See https://jmespath.org; a number stands in backticks, a text in single quotes.",
    ),
    Rule(
        "expression-misread",
        "A part of an expression means something else than it looks like",
        'In `role == "admin"`, `open == true` and `orders | length` the last word is a field, which'
        " is null where there is no such field.",
        "`role == 'admin'`, ``open == `true` ``, `orders | length(@)`.",
    ),
    Rule(
        "expression-arguments",
        "A function with wrong arguments",
        "Their number or kind does not fit, so the expression always fails.",
        "The signature in the table of functions in docs/configuration.md.",
    ),
    Rule(
        "expression-never",
        "An expression whose result never depends on its values",
        "It compares types that are never equal, or selects from a value that has no fields.",
        "Compare values of one type: ``params.page == `1` `` for an integer.",
    ),
    Rule(
        "unknown-function",
        "A function that does not exist",
        "The expression cannot be computed.",
        "A function of JMESPath or of the table in docs/configuration.md.",
    ),
    Rule(
        "unknown-name",
        "An expression uses a name that nothing has",
        "It would be null for every request.",
        "The name of a call, or `params`, `body`, `session`, `headers`, `frontend`, `locale`.",
    ),
    Rule(
        "unknown-claim",
        "A claim that no provider and no issuer keeps",
        "It is null for every session, so what depends on it is always refused or left out.",
        "Add it to `claims` of the provider or issuer.",
        may_be_ignored=True,
    ),
    Rule(
        "template-syntax",
        "A template whose braces do not match, or that cannot be written there",
        "The request could not be built.",
        'A text with expressions in braces: `"{user.id}"`.',
    ),
    Rule(
        "template-mark",
        "The mark `?` of a template where it has no effect",
        "A path, `json` and text around an expression have no place that can be left out.",
        'The mark is for a whole value of query, form, header or multipart: `"{user.id?}"`.',
    ),
    Rule(
        "path-never-filled",
        "A path that no request can fill",
        "The call fails for every request.",
        "An expression that gives one text or number.",
    ),
    Rule(
        "path-may-be-missing",
        "A path that depends on an optional parameter",
        "Without the parameter the call fails.",
        "A default for the parameter, or `when` on the call.",
        may_be_ignored=True,
    ),
    Rule(
        "slice-of-text",
        "A slice of a text",
        "JMESPath slices lists only; a slice of a text is null.",
        "``slice(text, `0`, `3`)``.",
        may_be_ignored=True,
    ),
    Rule(
        "python-function",
        "A function in Python that cannot be used",
        "It cannot be imported, or is no function.",
        "`package.module:function`, beside bff.yaml or installed.",
    ),
)
