"""Rewrites the texts and attributes of XML and HTML, each with its names.

Everything else stays as it is written, including white space.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from bff.dev.redaction.secret_names import is_secret, word_set
from bff.dev.redaction.value_context import ValueContext, is_name_key, is_value_key

_ATTRIBUTE: Final = re.compile(r"""([^\s=/"'<>]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""")
_TOKEN: Final = re.compile(
    r"(?P<raw><(?P<kind>script|style)\b(?P<rawattrs>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>)"
    r"(?P<code>.*?)(?=</(?P=kind)\s*>)"
    r"|<!--(?P<comment>.*?)-->|<!\[CDATA\[(?P<cdata>.*?)\]\]>"
    r"|<\?(?P<instruction>.*?)\?>|(?P<declaration><![^>]*>)"
    r"|</\s*(?P<end>[^\s>]+)\s*>"
    r"|<(?P<tag>[A-Za-z_][^\s/>]*)(?P<attrs>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>",
    re.DOTALL | re.IGNORECASE,
)
_RAW: Final = (
    ("comment", "<!--", "-->"),
    ("cdata", "<![CDATA[", "]]>"),
    ("instruction", "<?", "?>"),
)
_VOID: Final = word_set("area base br col embed hr img input link meta param source track wbr")
_HTML: Final = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_NAMES_NEXT: Final = frozenset({"string", "integer", "real", "date"})  # of property lists

Leaf = Callable[[str, ValueContext], str]


@dataclass(slots=True)
class _Element:
    name: str
    parent: "_Element | None" = None
    attributes: dict[str, str] = field(default_factory=dict)
    named: str = ""  # the name given by an attribute or a child element
    secret: bool = False

    @property
    def at(self) -> tuple[str, ...]:
        return (*(self.parent.at if self.parent else ()), *((self.name,) if self.name else ()))


@dataclass(slots=True)
class _TextNode:
    """The text of an element or of an attribute."""

    written: str
    owner: _Element
    kind: str  # text, cdata, raw, mark
    attribute: str = ""


def is_html(text: str) -> bool:
    """True if a text begins like an HTML document."""
    return bool(_HTML.match(text))


def has_marks(text: str) -> bool:
    """True if a text contains tags."""
    return bool(_TOKEN.search(text))


def is_xml(text: str) -> bool:
    """True if a text is well-formed XML without a DTD."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_declarations
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003 - expat's
    except (expat.ExpatError, ValueError):
        return False
    return True


def rewrite_markup(text: str, leaf: Leaf) -> str:
    """Rewrite each text and attribute value with `leaf`."""
    pieces = list(_pieces(text, lenient=is_html(text)))
    return "".join(_rewritten(piece, leaf) for piece in pieces)


def _rewritten(piece: _TextNode, leaf: Leaf) -> str:
    if piece.kind == "mark":
        return piece.written
    owner, raw = piece.owner, piece.kind in {"cdata", "raw"}
    plain = piece.written if raw else html.unescape(piece.written)
    if not plain.strip():
        return piece.written
    start = plain[: len(plain) - len(plain.lstrip())]
    end = plain[len(plain.rstrip()) :]
    inner = plain.strip()
    made = leaf(inner, _context(piece, owner))
    if made == inner:
        return piece.written
    whole = start + made + end
    return whole if raw else html.escape(whole)


def _context(piece: _TextNode, owner: _Element) -> ValueContext:
    within = owner.parent.name if owner.parent else ""
    if piece.attribute:
        secret = owner.secret or (bool(owner.named) and is_value_key(piece.attribute))
        named = owner.named if is_value_key(piece.attribute) else ""
        at = (*owner.at, piece.attribute)
        return ValueContext(named or piece.attribute, owner.name, owner.secret and secret, at)
    named = owner.named
    if not named and owner.parent and (is_value_key(owner.name) or owner.name in _NAMES_NEXT):
        named = owner.parent.named
    return ValueContext(named or owner.name, within, owner.secret, owner.at)


def _pieces(text: str, *, lenient: bool) -> Iterator[_TextNode]:
    open_element, position = _Element(""), 0
    made: list[_TextNode] = []
    for token in _TOKEN.finditer(text):
        made.append(_TextNode(text[position : token.start()], open_element, "text"))
        position = token.end()
        open_element = _step(token, open_element, made, lenient=lenient)
    made.append(_TextNode(text[position:], open_element, "text"))
    _name_siblings(made)
    yield from made


def _step(
    token: re.Match[str], current: _Element, made: list[_TextNode], *, lenient: bool
) -> _Element:
    """Append the text nodes of one token; returns the element that is open after it."""
    if token["end"]:
        made.append(_TextNode(token[0], current, "mark"))
        return _closed(current, _local(token["end"]))
    for name, start, end in _RAW:
        if token[name] is not None:
            owner = current if name == "cdata" else _Element("")
            made.append(_TextNode(start, owner, "mark"))
            made.append(_TextNode(token[name], owner, "cdata" if name == "cdata" else "raw"))
            made.append(_TextNode(end, owner, "mark"))
            return current
    if token["declaration"]:
        made.append(_TextNode(token[0], current, "mark"))
        return current
    if token["raw"]:
        opened = _opened(token["kind"], token["rawattrs"], current)
        made.extend(_tag(token["kind"], token["rawattrs"], opened))
        made.append(_TextNode(token["code"], opened, "raw"))
        return opened
    opened = _opened(token["tag"], token["attrs"], current)
    made.extend(_tag(token["tag"], token["attrs"], opened))
    alone = token["attrs"].rstrip().endswith("/") or (lenient and opened.name.lower() in _VOID)
    return current if alone else opened


def _opened(tag: str, attributes: str, parent: _Element) -> _Element:
    made = _Element(_local(tag), parent, secret=parent.secret)
    for name, _, quoted in _ATTRIBUTE.findall(attributes):
        value = html.unescape(quoted.strip("\"'"))
        if is_name_key(_local(name)) or (name.lower() == "type" and value == "password"):
            made.named = value if is_secret(value) else made.named or value
    made.secret = made.secret or ValueContext(made.name, parent.name).is_container
    return made


def _tag(tag: str, attributes: str, element: _Element) -> Iterator[_TextNode]:
    yield _TextNode(f"<{tag}", element, "mark")
    position = 0
    for found in _ATTRIBUTE.finditer(attributes):
        name, value = found[1], found[3]
        quote = value[0] if value[0] in "\"'" else ""
        start = found.start(3) + len(quote)
        yield _TextNode(attributes[position:start], element, "mark")
        yield _TextNode(value.strip(quote) if quote else value, element, "text", _local(name))
        position = found.end(3) - len(quote)
    yield _TextNode(attributes[position:] + ">", element, "mark")


def _name_siblings(pieces: list[_TextNode]) -> None:
    """Apply `<key>password</key>` as the name of the adjacent `<value>`."""
    for piece in pieces:
        owner = piece.owner
        if piece.kind in {"text", "cdata"} and not piece.attribute and owner.parent:
            written = html.unescape(piece.written.strip())
            if is_name_key(owner.name) and written and not is_secret(owner.parent.named):
                owner.parent.named = written


def _closed(current: _Element, name: str) -> _Element:
    found: _Element | None = current
    while found and found.name != name:
        found = found.parent
    return found.parent if found and found.parent else current


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_declarations(
    _name: str,
    _system: str | None,
    _public: str | None,
    has_declarations: bool,  # noqa: FBT001 - as expat calls it
) -> None:
    if has_declarations:
        raise ValueError("the document has a DTD")
