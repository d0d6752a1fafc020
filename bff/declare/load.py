"""Loads YAML files as nodes that know their file, line and column.

Scalars follow the core schema of YAML 1.2 (section 10.3), so that `NO` and `1:30` are text.
Aliases and tags are rejected: views share calls by `calls/`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from bff.declare.yaml_errors import explain_syntax_error
from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import CLOSE, OPEN, Place, Reference, braces_back

_PARSER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MAX_BYTES: Final = 1_000_000
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DIGITS: Final = 30  # longer numbers exceed 64 bits, and `int` takes quadratic time for them
_LEAST, _MOST = -(2**63), 2**64 - 1
_MAX_DEPTH: Final = 100
_MASKED_BRACES: Final = str.maketrans("{}", OPEN + CLOSE)
_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_PATH: Final = re.compile(
    r"[a-z]\w*(\.\w+)+"
)  # an expression, in `${user.name}` of other languages
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a file and its place.

    Args:
        keys: the keys of a mapping, as nodes of their own.
        raw: the text of a scalar with references resolved, before conversion to a number.
        written: the text as in the file; messages show it, so that they contain no secret.
        template: the text with references resolved, their braces replaced (`OPEN`, `CLOSE`).
        referred: at the root of a file, the resolved references of the file.
    """

    value: Any
    place: Place
    keys: Mapping[str, "Node"] | None = None
    raw: str = ""
    written: str = ""
    template: str = ""
    referred: tuple[Reference, ...] = field(default=(), repr=False)

    @property
    def plain(self) -> Any:
        """The value without places, as plain Python objects."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return self.value


LoadResult = Node | ConfigError  # a file, or the problems why it could not be loaded


def load(path: Path, shown: str, environ: Mapping[str, str]) -> Node:
    """Read one file.

    Args:
        shown: the name of the file in messages.
        environ: the variables that `${NAME}` refers to.

    Raises:
        ConfigError: it cannot be read, is not YAML, or refers to what does not exist.
    """
    start = Place(shown)
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_BYTES:
            raise _wrong("file-unreadable", start, f"the file has more than {_MAX_BYTES} bytes")
        text = raw.decode()
    except OSError as error:
        raise _wrong(
            "file-unreadable", start, f"the file cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise _wrong("file-unreadable", start, "the file is not UTF-8") from None
    return parse(text, shown, environ)


def parse(text: str, shown: str, environ: Mapping[str, str]) -> Node:
    """Parse a text; see `load`."""
    try:
        _reject_unsupported(text, shown)
        root = yaml.compose(text, Loader=_PARSER)
    except yaml.MarkedYAMLError as error:
        raise _broken(text, shown, error) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _wrong(
            "yaml-syntax", Place(shown), f"this is not YAML: {str(error).splitlines()[0]}"
        ) from None
    if root is None:
        raise _wrong("file-unreadable", Place(shown), "the file is empty")
    converter = _Converter(text, shown, environ)
    node = converter.node(root)
    if converter.problems:
        raise ConfigError(converter.problems)
    return replace(node, referred=tuple(converter.referred)) if converter.referred else node


def _reject_unsupported(text: str, shown: str) -> None:
    """Reject aliases, tags and deep nesting.

    They are found among the parser's events: `yaml.compose` resolves aliases, drops most tags, and
    recurses for nesting. Parsing twice is slow, so texts without the characters are skipped.

    Raises:
        ConfigError: for the first of them.
    """
    nests = (
        text.count("[") + text.count("{") + text.count("- -") > _MAX_DEPTH
        or " " * _MAX_DEPTH in text
    )
    if not nests and not re.search(r"[*!&]", text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_PARSER):
        mark: Any = event.start_mark
        place = Place(shown, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            hint = "views share calls by `calls/`; a text with `*` needs quotes"
            raise _wrong("yaml-feature", place, "an alias (`*name`) is not supported", hint)
        tag = getattr(event, "tag", None)
        if tag not in {None, "!"}:
            hint = "a text with `!` needs quotes"
            raise _wrong("yaml-feature", place, f"the tag `{tag}` is not supported", hint)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise _wrong(
                "yaml-feature", place, f"this is nested more than {_MAX_DEPTH} levels deep"
            )


def _broken(text: str, shown: str, error: yaml.MarkedYAMLError) -> ConfigError:
    found = explain_syntax_error(text, shown, error)
    return _wrong("yaml-syntax", found.place, found.message, found.hint)


def _lacks_colon(mapping: yaml.MappingNode, key: yaml.Node, value: yaml.Node, text: str) -> bool:
    """True if a key in braces has no colon, as in `{user.name}`.

    YAML reads it as a key with an empty value (section 7.4.2). In `{name: }`, an explicit null,
    there is a colon between the two.
    """
    if not mapping.flow_style or value.value != "" or getattr(value, "style", None):
        return False
    return ":" not in text[key.end_mark.index : value.start_mark.index]


class _Converter:
    """Converts a composed YAML document into nodes, and collects its problems."""

    def __init__(self, text: str, shown: str, environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self.referred: list[Reference] = []
        self._keys: list[str] = []
        self._text, self._shown, self._environ = text, shown, environ

    def node(self, node: yaml.Node) -> Node:
        place = Place(self._shown, node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.node(item) for item in node.value], place)
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = self.node(key_node)
            name = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if name is None:
                hint = 'a text with braces needs quotes: "{…}"'
                self._problem("yaml-feature", key.place, "a key must be a text", hint)
            elif _lacks_colon(node, key_node, value_node, self._text):
                message = f"`{{{name}}}` without quotes is a mapping, and its key has no value"
                hint = f'a template needs quotes: "{{{name}}}"; an expression has no braces: {name}'
                self._problem("unquoted-braces", key.place, message, hint)
            elif name in values:
                self._problem("yaml-feature", key.place, f"duplicate key `{name}`")
            else:
                self._keys.append(name)
                keys[name], values[name] = key, self.node(value_node)
                self._keys.pop()
        return Node(values, place, keys)

    def _scalar(self, node: yaml.Node, place: Place) -> Node:
        written: str = node.value
        template = written
        if "${" in written:
            template = _REFERENCE.sub(lambda found: self._lookup(found[1], place), written)
        raw = braces_back(template)
        value: Any = raw
        if not getattr(node, "style", None) and (raw == written or _REFERENCE.fullmatch(written)):
            value = self._core(raw, place)
        return Node(value, place, None, raw, written, template)

    def _core(self, text: str, place: Place) -> Any:
        """The value of a plain scalar; numbers beyond those of JSON are rejected (RFC 8259)."""
        value = core_scalar(text)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and not (math.isfinite(value) and _LEAST <= value <= _MOST):
            self._problem("wrong-value", place, "this number exceeds 64 bits", "write it in quotes")
            return 0
        return value

    def _lookup(self, reference: str, place: Place) -> str:
        """The value of a reference, its braces replaced, so that it is not read as a template."""
        return self._resolved(reference, place).translate(_MASKED_BRACES)

    def _resolved(self, reference: str, place: Place) -> str:
        if reference.startswith("file:"):
            where, optional, default = reference.removeprefix("file:").partition(":-")
            if optional and not Path(where).exists():
                return default
            return self._read(reference, where, place)
        found = _NAME.fullmatch(reference)
        if not found:
            hint = "`${NAME}`, `${NAME:-default}` or `${file:/path}`"
            if _PATH.fullmatch(reference):
                hint = f'an expression is `{reference}`, a template `"{{{reference}}}"`'
            self._problem("reference", place, f"`${{{reference}}}` is not a valid reference", hint)
            return ""
        name, default = found.groups()
        if not self._environ.get(name) and (path := self._environ.get(f"{name}_FILE")):
            return self._read(f"{name}_FILE", path, place)
        value = self._environ.get(name)
        if value:
            self._note(name, value)
        value = value or default
        if value is None:
            hint = f"set it, or give a default: `${{{name}:-…}}`"
            self._problem("reference", place, f"the environment variable {name} is not set", hint)
            return ""
        return value

    def _read(self, reference: str, path: str, place: Place) -> str:
        try:
            value = Path(path).read_text().strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            self._problem("reference", place, f"`${{{reference}}}` cannot be read: {reason}")
            return ""
        self._note(f"file:{path}", value)
        return value

    def _note(self, name: str, value: str) -> None:
        self.referred.append(Reference(name, value, tuple(self._keys)))

    def _problem(self, rule: str, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(Problem(rule, place, message, hint))


def core_scalar(text: str) -> Any:
    """The value of a plain scalar by the core schema of YAML 1.2 (section 10.3)."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _DIGITS and _INTEGER.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    return float(text) if _FLOAT.fullmatch(text) else text


def without_references(written: str) -> str:
    """A text of a file without its references."""
    return _REFERENCE.sub("", written)


def is_reference(written: str) -> bool:
    """True if a text is one reference and nothing else: `${NAME}`."""
    return bool(_REFERENCE.fullmatch(written))


def _wrong(rule: str, place: Place, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(rule, place, message, hint)])
