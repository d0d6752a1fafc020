"""Rules of expressions, templates and the functions that they call."""

from typing import Final

from bff.declare.rules.rule import Rule

EXPRESSIONS: Final = (
    Rule(
        "expression-syntax",
        "An expression is not valid JMESPath",
        "It cannot be evaluated.",
        "See https://jmespath.org; a number is written in backticks, a text in single quotes.",
    ),
    Rule(
        "expression-misread",
        "A part of an expression has another meaning than it seems",
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
        "An expression with a constant result",
        "It compares types that are never equal, or selects from a value that has no fields.",
        "Compare values of one type: ``params.page == `1` `` for an integer.",
    ),
    Rule(
        "unknown-function",
        "A function that does not exist",
        "The expression cannot be evaluated.",
        "A function of JMESPath or of the table in docs/configuration.md.",
    ),
    Rule(
        "unknown-name",
        "An expression with an unknown name",
        "It would be null for every request.",
        "The name of a call, or `params`, `body`, `session`, `headers`, `frontend`, `locale`.",
    ),
    Rule(
        "unknown-claim",
        "A claim that no provider or issuer stores",
        "It is null for every session, so that what depends on it is always refused or omitted.",
        "Add it to `claims` of the provider or issuer.",
        may_be_ignored=True,
    ),
    Rule(
        "template-syntax",
        "A template with unbalanced braces, or in a place that takes none",
        "The request could not be built.",
        'A text with expressions in braces: `"{user.id}"`.',
    ),
    Rule(
        "template-mark",
        "The mark `?` (optional) of a template where it has no effect",
        "A part of a path, of `json` or of a longer text cannot be omitted.",
        'The mark is for a whole value of query, form, headers or multipart: `"{user.id?}"`.',
    ),
    Rule(
        "path-never-filled",
        "A path template that no request can fill",
        "The call fails for every request.",
        "An expression whose result is a text or a number.",
    ),
    Rule(
        "path-may-be-missing",
        "A path template with an optional parameter",
        "Without the parameter the call fails.",
        "A default for the parameter, or `when` on the call.",
        may_be_ignored=True,
    ),
    Rule(
        "slice-of-text",
        "A slice of a text",
        "JMESPath slices lists only; the slice of a text is null.",
        "``slice(text, `0`, `3`)``.",
        may_be_ignored=True,
    ),
    Rule(
        "python-function",
        "A Python function that cannot be used",
        "It cannot be imported, or is not a function.",
        "`package.module:function`, beside bff.yaml or installed.",
    ),
)
