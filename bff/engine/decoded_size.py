"""Estimates the bytes that a reply takes when it is decoded, from its structure.

`[{},{},...]` takes three bytes for each object, and CPython 64 to 200. The sizes are those of
CPython 3.11 to 3.13 on 64 bits, with the decoder's own tree. They overestimate, which leaves room
for the copies that a view makes.
"""

from typing import Final

_OBJECT: Final = 200  # an empty dict has 64, one of up to five keys 184
_PAIR: Final = 64  # a key, of those that the table of an object has no room for
_IN_TABLE: Final = 5
_LIST: Final = 80
_VALUE: Final = 64  # a number or short text, its place in a list or dict, the decoder's 16
_ELEMENT: Final = 400  # of XML: a text, a place in a dict, and often a dict or list of its own
_TEXT: Final = 4  # bytes of a character, if one of the text is outside the BMP


def decoded_size(kind: str, body: bytes) -> int:
    """The estimate for a body, in bytes.

    Args:
        kind: the decoder, as declared in `decode` of a call.
    """
    if kind == "json":
        values = body.count(b",") + 1
        wide = _TEXT if not body.isascii() else 1
        objects, lists = body.count(b"{"), body.count(b"[")
        pairs = max(0, body.count(b":") - _IN_TABLE * objects)
        values_and_keys = _VALUE * values + _PAIR * pairs
        return wide * len(body) + values_and_keys + _OBJECT * objects + _LIST * lists
    if kind == "xml":
        return _TEXT * len(body) + _ELEMENT * (body.count(b"<") + body.count(b"="))
    if kind == "text":
        return len(body) if body.isascii() else _TEXT * len(body)
    return 2 * len(body) if kind == "bytes" else 0
