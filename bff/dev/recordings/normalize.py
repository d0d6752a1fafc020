"""Normalizes requests before they are matched: ignored parts are removed, secrets are masked."""

from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote, urlencode

from bff.dev.recordings.match import RequestKey, in_order
from bff.dev.redaction.addresses import FORM
from bff.dev.redaction.json_text import read_json
from bff.dev.redaction.read_body import Unreadable, rewrite_body
from bff.dev.redaction.rewrite import Rewriter, ValueVisitor
from bff.dev.rules import MatchRules, RedactionRules, changed_at, is_at
from bff.model.json_text import decode_json, encode_json

MASK = "redacted"
Normalize = Callable[[RequestKey], RequestKey]


def ignoring(loose: MatchRules) -> Normalize:
    """A function that removes from a request what rules.toml excludes from matching."""

    def ignore(key: RequestKey) -> RequestKey:
        query = tuple((name, value) for name, value in key.query if name not in loose.query)
        return RequestKey(key.method, key.path, query, _without(key.body, loose.body))

    return ignore


def masking(rules: RedactionRules) -> Normalize:
    """A function that masks the secrets of a request, whose recorded entry has pseudonyms there.

    `Rewriter` finds them, as when recording.
    """
    rewriter = Rewriter(_Masker(), rules)

    def mask(key: RequestKey) -> RequestKey:
        segments = [
            quote(rewriter.addresses.path(unquote(each).replace("/", "%2F")), safe="")
            if ";" in unquote(each)
            else each
            for each in key.path.split("/")
        ]
        query = in_order((name, rewriter.parameter(name, value)) for name, value in key.query)
        return RequestKey(key.method, "/".join(segments), query, _masked(key.body, rewriter))

    return mask


def mask_target(target: str) -> str:
    """A path and query for messages, with values masked that are secret by their name."""
    return Rewriter(_Masker(), RedactionRules()).addresses.target(target)


def _masked(body: bytes, rewriter: Rewriter) -> bytes:
    if not body:
        return body
    try:
        if body.startswith(b"--"):
            return rewrite_body(body, "multipart/form-data", rewriter)[0]
        text = body.decode()
        if _is_json(text):
            hidden = rewriter.json(text).encode()
            return encode_json(decode_json(hidden, halves=True), sort=True)
        return (rewriter.form(text) if FORM.fullmatch(text) else rewriter.text(text)).encode()
    except (Unreadable, ValueError):
        return body


def _is_json(text: str) -> bool:
    try:
        read_json(text)
    except ValueError:
        return False
    return True


def _without(body: bytes, paths: tuple[str, ...]) -> bytes:
    if not body or not paths:
        return body
    text = body.decode(errors="replace")
    if FORM.fullmatch(text):
        pairs = parse_qsl(text, keep_blank_values=True)
        left = [pair for pair in pairs if not any(is_at((pair[0],), each) for each in paths)]
        return urlencode(left).encode()
    try:
        tree = decode_json(body, halves=True)
    except ValueError:
        return body
    for path in paths:
        tree = changed_at(tree, path, lambda _: ...)
    return encode_json(tree, sort=True)


class _Masker(ValueVisitor):
    """Replaces every secret by the same placeholder."""

    def secret(self, text: str) -> str:
        """Mask a value that is secret by its name."""
        return MASK if text else text

    def declared(self, text: str) -> str:
        """Mask a value that rules.toml declares secret."""
        return MASK if text else text

    def word(self, text: str) -> str:
        """Mask a word in the position of a secret."""
        return MASK if text else text

    def number(self, number: str) -> str:
        """Replace a number that is a secret by 0."""
        return "0" if number else number
