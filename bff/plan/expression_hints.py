"""What to write in place of an expression that is not JMESPath, or means something else.

People bring the spelling of other languages: JavaScript (`===`, `?.`), JSONPath (`$.a`), jq (`.a`),
Python (`and`), SQL (`=`), Handlebars (`{{a}}`). Most of it is a syntax error. Some of it is valid
JMESPath with another meaning: `role == "admin"` compares with the *field* `admin`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import jmespath.exceptions
import jmespath.lexer

_COMPARE: Final = r"(?:==|!=|<=|>=|<|>)"
_NUMBER: Final = r"-?\d+(?:\.\d+)?"
_COMPARED_NUMBER: Final = re.compile(rf"({_COMPARE}\s*)({_NUMBER})(?![\w`])")
_NUMBER_COMPARED: Final = re.compile(rf"(?<![\w`\[.:])({_NUMBER})(\s*{_COMPARE})")
_GIVEN_NUMBER: Final = re.compile(rf"([(,]\s*|[:\[]\s*(?=[^\]]*[,}}]))({_NUMBER})(?=\s*[,)}}\]])")
_LOGIC_NUMBER: Final = re.compile(rf"((?:\|\||&&)\s*)({_NUMBER})(?![\w`])")
_NUMBERS: Final = (  # and the group of each that is the number
    (_COMPARED_NUMBER, 2),
    (_NUMBER_COMPARED, 1),
    (_GIVEN_NUMBER, 2),
    (_LOGIC_NUMBER, 2),
)
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_RAW: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")  # a text, a literal

_SPELLINGS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # what the text has, what to write
    (re.compile(r"^\$\{"), "`${NAME}` is a value of the environment; an expression is `user.name`"),
    (re.compile(r"^\{\{"), "an expression stands without braces: `user.name`"),
    (re.compile(r"\.\.\."), "two objects are one by `merge(a, b)`: `merge(user, {kind: 'x'})`"),
    (re.compile(r"\$"), "JMESPath has no `$`: `user.name` instead of `$.user.name`"),
    (re.compile(r"[(|]\s*\.\w"), "of all items: `orders[].id`; of some: `orders[?open].id`"),
    (re.compile(r"^\."), "JMESPath has no dot in front: `user.name` instead of `.user.name`"),
    (re.compile(r"\.\."), "each step has a name: `orders[].id`, `orders[].lines[].id`"),
    (re.compile(r"^#?/"), "a path has dots: `user.name` instead of `/user/name`"),
    (re.compile(r"\w(->|::)\w"), "a path has dots: `user.name`"),
    (re.compile(r"!==|===|<>"), "equal is `==`, not equal is `!=`"),
    (re.compile(r"=~|\blike\b"), "`contains(x, 'a')`, `starts_with(x, 'a')`, `ends_with(x, 'a')`"),
    (re.compile(r"\bis\s+(not\s+)?(null|None)\b"), "`a == null`, `a != null`"),
    (re.compile(r"[\w'`]\s+(not\s+)?in\s+[\w\[]"), "instead of `a in b`: `contains(b, a)`"),
    (
        re.compile(r"\[\s*(@|[A-Za-z_][\w.]*\s*[=!<>])"),
        "a filter begins with `[?`: `orders[?open == 'x']`",
    ),
    (re.compile(r"\w\.\d"), "an element of a list: `orders[0].id`"),
    (
        re.compile(r"\{\s*\w+\s*(,|\s\w|\})"),
        "what it is and where from: `user.{id: id, name: name}`",
    ),
    (re.compile(r"\?\?"), "what stands for a null follows `||`: `name || 'unknown'`"),
    (re.compile(r"\?\."), "a dot is enough, since what is missing is null: `user.name`"),
    (re.compile(r"\[\s*['\"]"), 'a field follows a dot: `user.name`, `user."first-name"`'),
    (
        re.compile(r"=>|\blambda\b"),
        "a function of an item is written `&price`: `sort_by(x, &price)`",
    ),
    (re.compile(r"\?[^\]]*:(?![^\[]*\])"), "instead of `a ? b : c`: `a && b || c`"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "equal is `==`"),
    (re.compile(r"\w\s+(and|or)\s+[\w!(]"), "`and` is `&&`, `or` is `||`"),
    (re.compile(r"^not\s|[\s(]not\s"), "`not x` is `!(x)`"),
    (
        re.compile(r"\w\s*\+\s*\w|['\"]\s*\+|\+\s*['\"]"),
        "`add(a, b)` for numbers, `join('', [a, b])` for texts",
    ),
    (re.compile(r"[\w)]\s+-\s+\w"), "instead of `a - b`: `sub(a, b)`"),
    (re.compile(r"\w-[A-Za-z]"), 'a name with a dash stands in double quotes: `user."first-name"`'),
    (re.compile(r"^-"), "instead of `-a`: `sub(`0`, a)`"),
    (re.compile(r"\w\s*/\s*\w"), "instead of `a / b`: `div(a, b)`"),
    (re.compile(r"[\w)\]]\s+\*\s+[\w(]"), "instead of `a * b`: `mul(a, b)`"),
    (re.compile(r"\w\s*%\s*\w"), "instead of `a % b`: `mod(a, b)`"),
    (re.compile(r"[\w)]\s+&\s+[\w(]"), "`and` is `&&`, `or` is `||`"),
    (re.compile(r"\w'"), "a text within texts: `join('', ['a', b])`"),
    (re.compile(r",\s*$"), "it ends before the comma"),
)


def hint_for(text: str) -> str:
    """What to write instead of `text`, which is not JMESPath; empty for an unknown mistake."""
    text = text.strip()
    bare = _RAW.sub(lambda found: found[0][0] + "_" * (len(found[0]) - 2) + found[0][0], text)
    if not text:
        return "name what is wanted: `user.name`"
    if text.startswith("{") and text.endswith("}") and ":" not in bare and bare.count("{") == 1:
        return f"an expression stands without braces: `{text[1:-1].strip()}`"
    numbers = _quote_numbers(bare, text)
    if numbers != text:
        return f"a number stands in backticks: {numbers}"
    return _spelling(bare) or _unbalanced(bare, text)


def _spelling(bare: str) -> str:
    return next((hint for spelling, hint in _SPELLINGS if spelling.search(bare)), "")


def _unbalanced(bare: str, text: str) -> str:
    for opening, closing in ("()", "[]", "{}"):
        if bare.count(opening) != bare.count(closing):
            return f"`{opening}` and `{closing}` do not match"
    return "a text is closed with its own quote: 'admin'" if text.count("'") % 2 else ""


def _quote_numbers(bare: str, text: str) -> str:
    """The expression with backticks around its bare numbers; `bare` has its texts blanked."""
    places = [found.span(group) for form, group in _NUMBERS for found in form.finditer(bare)]
    for start, end in sorted(set(places), reverse=True):
        text = f"{text[:start]}`{text[start:end]}`{text[end:]}"
    return text


@dataclass(frozen=True, slots=True)
class Misreading:
    """A part of a valid expression that means something else than it looks like."""

    message: str
    hint: str


def misreadings(text: str, functions: Collection[str]) -> Iterator[Misreading]:
    """Parts of a valid expression that are null or false whatever the values are.

    Three cases, by the token before and the one after:

    1. `role == "admin"`, `name || "none"`, `contains(roles, "admin")`: double quotes name a field.
    2. `[?open == true]`: without backticks, `true` is a field too.
    3. `orders | length`: without its argument a function's name is a field.
    """
    if '"' not in text and "true" not in text and "false" not in text and "|" not in text:
        return
    try:
        tokens = list(jmespath.lexer.Lexer().tokenize(text))
    except jmespath.exceptions.JMESPathError:
        return
    ends = {"type": "eof", "value": ""}
    for before, token, after in zip([ends, *tokens[:-1]], tokens, [*tokens[1:], ends], strict=True):
        found = _misreading(before, token, after, functions)
        if found:
            yield found


_COMPARATORS: Final = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
_VALUE_FOLLOWS: Final = _COMPARATORS | {"or", "and", "comma", "lparen"}
_GOES_ON: Final = frozenset({"colon", "dot", "lbracket", "lparen", "flatten", "filter"})


def _misreading(
    before: dict[str, Any], token: dict[str, Any], after: dict[str, Any], functions: Collection[str]
) -> Misreading | None:
    kind, value = token["type"], token["value"]
    if after["type"] in _GOES_ON:
        return None
    if kind == "quoted_identifier" and before["type"] in _VALUE_FOLLOWS and _WORD.fullmatch(value):
        message = f'"{value}" in double quotes is a field, not a text'
        return Misreading(message, f"a text stands in single quotes: '{value}'; a field is {value}")
    if kind != "unquoted_identifier":
        return None
    if value in {"true", "false"}:
        hint = f"a literal stands in backticks: `{value}`"
        given = before["type"] in _VALUE_FOLLOWS | {"colon"} or after["type"] in _COMPARATORS
        return Misreading(f"`{value}` is a field here", hint) if given else None
    if before["type"] == "pipe" and value in functions:
        message = f"`{value}` after a `|` is a field, not the function"
        return Misreading(message, f"a function names its argument: `{value}(@)`")
    return None
