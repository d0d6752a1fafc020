"""Templates: text with `{expressions}`, filled so that no value can leave its place.

A value in a path is one segment (RFC 3986, section 3.3), in a query one value (section 3.4), in a
header one field value (RFC 9110, section 5.5). A value that is invalid there is refused.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote

from bff.errors import ConfigError, Unfillable
from bff.model.problem import Problem
from bff.model.source import Source, braces_back
from bff.plan.dependencies import Paths, Reads, reads, together
from bff.plan.expression import Expression, Scope

_UNRESERVED: Final = "-._~"  # letters and digits are quote()'s own
_LITERAL_PATH: Final = _UNRESERVED + "!$&'()*+,;=:@/%"
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VARIABLE: Final = re.compile(
    r"/:([A-Za-z_]\w*)(?=/|$)"
)  # the syntax of Express, Rails and Sinatra
_SEPARATORS: Final = re.compile(r"[/\\;]")
_DOTS: Final = frozenset({".", ".."})
_QUOTES: Final = frozenset("'\"`")
_MARK: Final = "?"  # before the closing brace; not a character of JMESPath

Part = str | Expression


class Marked(Expression):
    """An optional expression, `{user.id?}`: the value is omitted where it is null."""

    __slots__ = ()


def parse(source: Source) -> tuple[Part, ...]:
    """Take a template apart into literal text and expressions.

    Raises:
        ConfigError: a brace without its partner, or an expression that does not compile.
    """
    parts: list[Part] = []
    text, at = source.text, 0
    while at < len(text):
        start = text.find("{", at)
        literal = text[at:] if start < 0 else text[at:start]
        if "}" in literal:
            raise _wrong(source, f"`{source.shown}` has a `}}` without a `{{` before it")
        if literal:
            parts.append(braces_back(literal))
        if start < 0:
            break
        end = _closing_brace(source, start)
        inner = text[start + 1 : end]
        if source.written and f"{{{inner}}}" not in source.written:
            message = f"`{source.shown}` has a reference within the braces of an expression"
            raise _wrong(source, message, "it stands outside of them")
        parts.append(_expression(inner.strip(), source))
        at = end + 1
    return tuple(parts)


def _expression(text: str, source: Source) -> Expression:
    if text.endswith(_MARK):
        return Marked(Source(text.removesuffix(_MARK).rstrip(), source.place, "", source.values))
    return Expression(Source(text, source.place, "", source.values))


def _closing_brace(source: Source, start: int) -> int:
    depth, quoted, at, text = 0, "", start, source.text
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                at += 1
            elif char == quoted:
                quoted = ""
        elif char in _QUOTES:
            quoted = char
        elif char in "{}":
            depth += 1 if char == "{" else -1
            if depth == 0:
                return at
        at += 1
    raise _wrong(source, f"`{source.shown}` has a `{{` without its `}}`")


class Template:
    """Text with expressions in it; one expression alone keeps the type of its value."""

    __slots__ = ("expressions", "parts", "source")
    _unmarked = (
        "write it without the `?`: only a query value, a header, or a field of a form or of "
        "multipart is left out"
    )

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts = parse(source)
        self.expressions = tuple(part for part in self.parts if isinstance(part, Expression))
        marked = next((each for each in self.expressions if isinstance(each, Marked)), None)
        if marked:
            self._check_mark(marked)

    def _check_mark(self, marked: Marked) -> None:
        """Refuse the mark where no value can be omitted."""
        message = f"`{{{marked.source.text}{_MARK}}}` cannot be left out here"
        raise _wrong(self.source, message, self._unmarked)

    def value(self, scope: Scope) -> Any:
        """The value of a lone expression, else the text with every expression filled in.

        Raises:
            Unfillable: an expression cannot be computed, or what it gives is not text inside text.
        """
        if len(self.parts) == 1:
            only = self.parts[0]
            return only if isinstance(only, str) else only.value(scope)
        return "".join(
            part if isinstance(part, str) else self._text(part, scope) for part in self.parts
        )

    def filled(self, scope: Scope) -> Any:
        """The value that replaces the template.

        Raises:
            Unfillable: see `value`.
        """
        return self.value(scope)

    def reads(self, bound: dict[str, Paths] | None = None) -> Reads:
        """The paths that the template reads."""
        return together(reads(each, bound) for each in self.expressions)

    def _text(self, part: Expression, scope: Scope) -> str:
        return as_text(part.value(scope), part.source.text)


class PathTemplate(Template):
    """The path of a request: each expression is confined to its segment."""

    __slots__ = ("segments",)
    _unmarked = "a path needs its value: with `when` the call is not made where there is none"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        for part in self.parts:
            if isinstance(part, str):
                _check_literal_path(source, part)
        self.segments = tuple(self._split())
        if any(isinstance(each, str) and has_dots(each[1:]) for each in self.segments):
            raise _wrong(source, f"the path `{source.shown}` has a dot segment")

    def fill(self, scope: Scope) -> str:
        """The encoded path.

        Raises:
            Unfillable: a value is null, empty, a list or an object, or makes a dot segment.
        """
        return "".join(
            segment if isinstance(segment, str) else "/" + self.segment(segment, scope)
            for segment in self.segments
        )

    def segment(self, parts: tuple[Part, ...], scope: Scope) -> str:
        """One segment, encoded. Raises Unfillable: see `fill`."""
        texts = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            text = self._text(part, scope)
            if not text:
                raise Unfillable(f"`{{{part.source.text}}}` is empty, in a path")
            texts.append(_encoded(text))
        segment = "".join(texts)
        if has_dots(segment):  # %2E and %2F mean . and / to many: there is no safe spelling
            raise Unfillable(f"`{self.source.shown}` would have the segment `{segment}`")
        return segment

    def _split(self) -> Iterator[str | tuple[Part, ...]]:
        """Segments: those without expressions as finished text, the others as their parts."""
        segment: list[Part] = []
        for part in self.parts:
            if isinstance(part, Expression):
                segment.append(part)
                continue
            first, *others = part.split("/")
            segment += [first] if first else []
            for other in others:
                yield from _finished(segment)
                segment = [""] if not other else [other]
        yield from _finished(segment)


def has_dots(path: str) -> bool:
    """Whether a path has a dot segment (RFC 3986, section 3.3), however often it is encoded."""
    before = ""
    while path != before:
        if _DOTS & set(_SEPARATORS.split(path)):
            return True
        path, before = unquote(path), path
    return False


def _finished(segment: list[Part]) -> Iterator[str | tuple[Part, ...]]:
    if segment and all(isinstance(part, str) for part in segment):
        yield "/" + "".join(str(part) for part in segment)
    elif segment:
        yield tuple(part for part in segment if part)


def _check_literal_path(source: Source, text: str) -> None:
    if "?" in text or "#" in text:
        raise _wrong(
            source,
            f"the path `{source.shown}` has a query",
            'write `query: {name: "value"}` instead',
        )
    variable = _VARIABLE.search(text)
    if variable:
        message = f"the path `{source.shown}` has `:{variable[1]}`, which is sent as it is"
        raise _wrong(source, message, f"`{{params.{variable[1]}}}`, in quotes")
    if quote(text, safe=_LITERAL_PATH) != text or _BARE_PERCENT.search(text):
        raise _wrong(source, f"the path `{source.shown}` has characters that must be encoded")


def encode_query(pairs: list[tuple[str, Any]]) -> str:
    """The query of a request: null drops a pair, a list repeats it, empty text is sent.

    Raises:
        Unfillable: a value is an object or a list within a list.
    """
    return "&".join(filter(None, [encode_pair(name, value) for name, value in pairs]))


def encode_pair(name: str, value: Any) -> str:
    """One name of a query with its values; empty where it has none. See `encode_query`."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return f"{_encoded_name(name)}={_encoded(as_text(value, name))}"
    texts = [as_text(each, name) for each in value if each is not None]
    return "&".join([f"{_encoded_name(name)}={_encoded(text)}" for text in texts])


def header_value(value: Any, name: str) -> str:
    """A header's value.

    Raises:
        Unfillable: a list, an object, or text with control characters.
    """
    text = as_text(value, name).strip(" \t")
    if any(char < " " or char == "\x7f" for char in text):
        raise Unfillable(f"the header {name} would have control characters")
    try:
        text.encode(
            "utf-8", "surrogateescape"
        )  # bytes that are not UTF-8 stay as the client sent them
    except UnicodeEncodeError:
        raise Unfillable(f"the header {name} has half of a surrogate pair") from None
    return text


def as_text(value: Any, name: str) -> str:
    """A scalar as it is written in a URL or a header; `name` is for the message.

    Raises:
        Unfillable: null, a list, an object, or an integer of more than 4,300 digits.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError:  # Python does not convert longer integers
            raise Unfillable(f"`{name}` has too many digits") from None
    kind = "a list" if isinstance(value, list) else "an object" if value else "null"
    raise Unfillable(f"`{name}` is {kind}, where a single value is needed")


def _encoded(text: str) -> str:
    try:
        return quote(text, safe=_UNRESERVED)
    except UnicodeEncodeError:
        raise Unfillable("a value has half of a surrogate pair") from None


_encoded_name: Final = lru_cache(1024)(_encoded)  # there are as many as are declared


def _wrong(source: Source, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem("template-syntax", source.place, message, hint)])
