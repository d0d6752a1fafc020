"""Functions and names of other languages, and what to write instead of them."""

from collections.abc import Mapping
from typing import Final

_NO_FUNCTION: Final = "there is none: write it in Python and register it, see `python` of bff.yaml"
_NO_PATTERN: Final = "`contains(x, 'a')`, `starts_with(x, 'a')` or `ends_with(x, 'a')`"
_ANY_OF: Final = "`length(x[?price > `10`]) > `0``"

# by their names in small letters
FUNCTIONS_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("len", "count", "size", "strlen"), "`length(x)`"),
    **dict.fromkeys(("concat", "tostr"), "`join('', [a, b])`"),
    **dict.fromkeys(
        ("str", "string", "tostring", "stringify", "tojson", "to_json"), "`to_string(x)`"
    ),
    **dict.fromkeys(("int", "float", "number", "parseint", "parsefloat"), "`to_number(x)`"),
    **dict.fromkeys(("first", "head"), "`x[0]`"),
    "last": "`x[-1]`",
    **dict.fromkeys(("filter", "select", "where", "reject"), "`x[?price > `10`]`"),
    "find": "`x[?price > `10`] | [0]`, or `lookup(x, 'id', '7')`",
    **dict.fromkeys(("includes", "has", "indexof"), "`contains(x, 'a')`"),
    **dict.fromkeys(("matches", "match", "test", "regex", "like"), _NO_PATTERN),
    **dict.fromkeys(("any", "some"), _ANY_OF),
    **dict.fromkeys(("all", "every"), "`length(x[?!(open)]) == `0``"),
    **dict.fromkeys(("default", "coalesce", "ifnull", "nvl"), "`x || 'none'`, or `not_null(a, b)`"),
    **dict.fromkeys(("if", "iif", "cond", "ifelse"), "`a && b || c`"),
    **dict.fromkeys(("exists", "defined", "isset"), "`x != null`"),
    **dict.fromkeys(("isempty", "empty", "isnull", "is_null"), "`!(x)`"),
    **dict.fromkeys(("uniq", "distinct", "unique_by"), "`unique(x)`"),
    **dict.fromkeys(("average", "mean"), "`avg(x)`"),
    **dict.fromkeys(("flatten", "flat", "flatmap"), "`x[]`"),
    **dict.fromkeys(("substring", "substr"), "`slice(x, `0`, `3`)`"),
    **dict.fromkeys(("format", "sprintf"), "`join('', [a, b])`, or `date(x, '%d.%m.%Y')`"),
    **dict.fromkeys(("strftime", "date_format", "formatdate"), "`date(x, '%d.%m.%Y')`"),
    **dict.fromkeys(("tofixed", "trunc"), "`round(x, `2`)`"),
    **dict.fromkeys(("group_by", "groupby"), "`group(x, 'sku')`"),
    **dict.fromkeys(("assign", "extend", "concat_objects"), "`merge(a, b)`"),
    **dict.fromkeys(("keys_of", "entries", "to_entries"), "`keys(x)`, `values(x)`"),
    "orderby": "`sort_by(x, &price)`",
    **dict.fromkeys(("upper", "to_upper", "touppercase", "uppercase", "upcase"), _NO_FUNCTION),
    **dict.fromkeys(("lower", "to_lower", "tolowercase", "lowercase", "downcase"), _NO_FUNCTION),
    **dict.fromkeys(("trim", "strip", "capitalize", "title"), _NO_FUNCTION),
}

_PARAMS: Final = "parameters of path and query are `params`, the request's JSON is `body`"
_A_CALL: Final = "what a service replies has the name of its call"
_NULL: Final = "nothing there is `null`"
NAMES_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("request", "req", "input", "event", "context", "ctx"), _PARAMS),
    **dict.fromkeys(
        ("query", "args", "path", "param", "parameters", "variables", "route"), _PARAMS
    ),
    **dict.fromkeys(("call", "response", "res", "result", "data", "upstream"), _A_CALL),
    **dict.fromkeys(("none", "nil", "undefined"), _NULL),
    **dict.fromkeys(("env", "process", "environ"), "`${NAME}` is a value of the environment"),
    **dict.fromkeys(("jwt", "token", "claims", "principal", "auth"), "who asks is `session`"),
    **dict.fromkeys(("this", "self", "root"), "an expression begins with a name, such as a call's"),
    **dict.fromkeys(("object", "math", "json", "array"), "a function stands alone: `keys(x)`"),
    "header": "the client's headers are `headers`",
    **dict.fromkeys(("lang", "language"), "the language that was agreed on is `locale`"),
}
_WHO: Final = "who asks is `session.sub`"
_BY_CREDENTIALS: Final = "`credentials: session` of a service sends the token with its requests"
SESSION_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("id", "user", "userid", "user_id", "username"), _WHO),
    **dict.fromkeys(("token", "access_token", "jwt", "id_token"), _BY_CREDENTIALS),
    **dict.fromkeys(("authenticated", "loggedin", "logged_in"), "`session.signed_in`"),
}
