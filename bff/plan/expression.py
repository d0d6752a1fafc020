"""JMESPath expressions, compiled once, checked at load, evaluated over a request's values."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jmespath
import jmespath.exceptions
import jmespath.visitor

from bff.errors import ConfigError, Unfillable
from bff.model.problem import Problem, did_you_mean
from bff.model.source import Source, braces_back
from bff.plan.expression_hints import hint_for, misreadings
from bff.plan.foreign_functions import FUNCTIONS_ELSEWHERE
from bff.plan.functions import FUNCTIONS, REPEATABLE
from bff.plan.names_at_root import NAMED, with_names_replaced
from bff.plan.standard import compare

Ast = dict[str, Any]
Scope = Mapping[str, Any]
COMPUTED: Final = "@values"  # in a scope: the values computed so far; not a name of the language


class _Interpreter(jmespath.visitor.TreeInterpreter):  # type: ignore[misc] # it has no types
    """JMESPath's interpreter, with four differences.

    1. A literal is copied: the library returns the object of the syntax tree, which `into` may
       then change.
    2. Plain fields of a multi-select are looked up at once: the library visits each twice, which
       took half of the time of a shape.
    3. Comparing a number with a text is null, as specified, and not an exception.
    4. A named value (`values`) is computed at its first use in a request.
    """

    def visit_comparator(self, node: Ast, value: Any) -> bool | None:
        """A comparison, null where the specification says so."""
        left, right = node["children"]
        return compare(node["value"], self.visit(left, value), self.visit(right, value))

    def visit_multi_select_dict(self, node: Ast, value: Any) -> Any:
        """A multi-select hash, its plain fields looked up at once."""
        if value is None:
            return None
        fields = value if isinstance(value, dict) else {}
        return {
            pair["value"]: fields.get(pair["children"][0]["value"])
            if pair["children"][0]["type"] == "field"
            else self.visit(pair, value)
            for pair in node["children"]
        }

    def visit_literal(self, node: Ast, _value: Any) -> Any:
        """A literal, as a value that the request may keep and change."""
        value = node["value"]
        return deepcopy(value) if isinstance(value, list | dict) else value

    def visit_named_value(self, node: Ast, scope: Scope) -> Any:
        """A named value, from those that the request has computed already if it is there."""
        expression: Expression = node["expression"]
        computed = scope.get(COMPUTED)
        if computed is None:  # before there is a request, as in the checks at load
            return expression.value(scope)
        name = node["value"]
        if name not in computed:
            try:
                computed[name] = expression.value(scope)
            except Unfillable as fault:
                computed[name] = _NotComputable(str(fault))
        found = computed[name]
        if isinstance(found, _NotComputable):
            raise Unfillable(found.reason)
        return found


@dataclass(frozen=True, slots=True)
class _NotComputable:
    """In place of a named value: why it cannot be computed."""

    reason: str


_INTERPRETER: Final = _Interpreter(jmespath.Options(custom_functions=FUNCTIONS))


class Expression:
    """One compiled expression; `value` may be called from any number of threads."""

    __slots__ = ("_compute", "_evaluated", "ast", "reads", "source")

    def __init__(self, source: Source) -> None:
        """Compile `source`.

        Raises:
            ConfigError: the text is not JMESPath, or calls a function that does not exist.
        """
        self.source = source
        self.reads: Any = None  # set on first use by `bff.plan.dependencies`
        try:
            self.ast: Ast = jmespath.compile(braces_back(source.text)).parsed
        except (jmespath.exceptions.JMESPathError, ValueError) as error:
            message = f"`{source.shown}` is not a JMESPath expression: {_syntax(error)}"
            raise _wrong(source, message, hint_for(source.shown)) from None
        calls = (node for node in walk(self.ast) if node["type"] == "function_expression")
        problems = [problem for node in calls if (problem := _check_function(source, node))]
        problems += _misread(source)
        if problems:
            raise ConfigError(problems)
        self._evaluated = self.ast
        if source.values:
            values = source.values
            self._evaluated = with_names_replaced(self.ast, partial(_to_compute, values))
            self.ast = with_names_replaced(self.ast, partial(_to_analyse, values))
        self._compute = _plain_path(self.ast) or self._interpret

    def value(self, scope: Scope) -> Any:
        """Evaluate the expression on `scope`; null where it finds nothing.

        Raises:
            Unfillable: it cannot be computed with these values (a function's argument is null).
        """
        try:
            return self._compute(scope)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (functions meet foreign data)
            raise Unfillable(f"`{self.source.shown}`: {_without_data(error)}") from None

    def _interpret(self, scope: Scope) -> Any:
        return _INTERPRETER.visit(self._evaluated, scope)


def is_repeatable(expression: Expression) -> bool:
    """True if equal values always give equal results: no `uuid()`, no Python function."""
    calls = (each for each in walk(expression.ast) if each["type"] == "function_expression")
    return all(each["value"] in REPEATABLE for each in calls)


def truthy(value: Any) -> bool:
    """True if JMESPath counts a value as true: 0 is true, an empty list is not."""
    return not (value is None or value is False or value in ("", [], {}))


def walk(node: Ast) -> Iterator[Ast]:
    """Every node of a syntax tree, the root first."""
    yield node
    for child in node["children"]:
        if isinstance(child, dict):
            yield from walk(child)


def _to_compute(values: Mapping[str, Expression], name: str) -> Ast | None:
    if name not in values:
        return None
    return {"type": "named_value", "value": name, "children": [], "expression": values[name]}


def _to_analyse(values: Mapping[str, Expression], name: str) -> Ast | None:
    if name not in values:
        return None
    ast = values[name].ast
    return {**ast, NAMED: (name, *ast.get(NAMED, ()))}  # it may be the name of another value


def _without_data(error: BaseException) -> str:
    """The error without the value that caused it, which may be personal data."""
    if isinstance(error, Unfillable):  # of a named value
        return str(error)
    if isinstance(error, jmespath.exceptions.JMESPathTypeError):
        return f"{error.function_name}() cannot take a value of type {error.actual_type}"
    return type(error).__name__


def _plain_path(ast: Ast) -> Callable[[Scope], Any] | None:
    """A direct look-up for `user` and `user.name.first`, the most frequent expressions."""
    names = names_of(ast)
    if names is None:
        return None

    def look_up(scope: Scope) -> Any:
        value: Any = scope
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return look_up


def names_of(ast: Ast) -> list[str] | None:
    """The names of a plain path such as `user.name`; None for any other expression."""
    if ast["type"] == "field":
        return [ast["value"]]
    if ast["type"] == "subexpression":
        parts = [names_of(child) for child in ast["children"]]
        if all(part is not None for part in parts):
            return [name for part in parts for name in part or ()]
    return None


def _syntax(error: Exception) -> str:
    """Where an expression stops being JMESPath; characters count from 1."""
    match error:
        case jmespath.exceptions.IncompleteExpressionError():
            return "it ends too early"
        case jmespath.exceptions.EmptyExpressionError():
            return "it is empty"
        case jmespath.exceptions.LexerError():
            return f"at character {error.lexer_position + 1}"
        case jmespath.exceptions.ParseError():
            return f"`{error.token_value}` is not expected at character {error.lex_position + 1}"
    return str(error).splitlines()[0]


def _misread(source: Source) -> list[Problem]:
    """Parts that name a field where a text, a literal or a function was probably meant."""
    return [
        Problem(
            "expression-misread", source.place, f"`{source.shown}`: {found.message}", found.hint
        )
        for found in misreadings(braces_back(source.text), FUNCTIONS.FUNCTION_TABLE)
    ]


def _check_function(source: Source, node: Ast) -> Problem | None:
    known: Mapping[str, Any] = FUNCTIONS.FUNCTION_TABLE
    name, given = node["value"], len(node["children"])
    if name not in known:
        message = f"there is no function `{name}()`"
        return Problem(
            "unknown-function",
            source.place,
            message,
            FUNCTIONS_ELSEWHERE.get(name.lower()) or did_you_mean(name, known),
        )
    signature = known[name]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not variadic):
        wanted = f"at least {len(signature)}" if variadic else str(len(signature))
        return Problem(
            "expression-arguments",
            source.place,
            f"`{name}()` takes {wanted} argument(s), {given} given",
            _written(name, known),
        )
    for argument, wanted in zip(node["children"], signature, strict=False):
        if wanted["types"] == ["expref"] and argument["type"] != "expref":
            message = f"`{name}()` wants an expression for each item here"
            return Problem(
                "expression-arguments", source.place, message, "with a `&` in front: `&price`"
            )
    return None


def _written(name: str, known: Mapping[str, Any]) -> str:
    """How a function is called: `round(number, number)`."""
    signature = known[name]["signature"]
    shown = ["&price" if each["types"] == ["expref"] else _types(each) for each in signature]
    more = f"; or `{name}_by(x, &price)`" if f"{name}_by" in known else ""
    return f"`{name}({', '.join(shown)})`{more}"


def _types(argument: Mapping[str, Any]) -> str:
    return " or ".join(dict.fromkeys(each.partition("-")[0] for each in argument["types"])) or "any"


def _wrong(source: Source, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem("expression-syntax", source.place, message, hint)])
