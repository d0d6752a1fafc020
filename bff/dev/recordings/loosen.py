"""Takes out of requests what does not count when their recorded entry is looked for."""

from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote, urlencode

from bff.dev.recordings.match import Asked, in_order
from bff.dev.redaction.addresses import FORM
from bff.dev.redaction.json_text import read_json
from bff.dev.redaction.read_body import Unreadable, rewrite_body
from bff.dev.redaction.rewrite import Act, Rewriter
from bff.dev.rules import Looseness, Redaction, changed_at, is_at
from bff.model.json_text import decode_json, encode_json

HIDDEN = "redacted"
Loosen = Callable[[Asked], Asked]


def loosening(loose: Looseness) -> Loosen:
    """What takes out of a request what rules.toml says does not count."""

    def loosen(asked: Asked) -> Asked:
        query = tuple((name, value) for name, value in asked.query if name not in loose.query)
        return Asked(asked.method, asked.path, query, _without(asked.body, loose.body))

    return loosen


def hiding(rules: Redaction) -> Loosen:
    """What takes out of a request what is secret where it stands: it has a pseudonym if recorded.

    It is found as the recorder finds it, by `Rewriter`.
    """
    rewriter = Rewriter(_Hide(), rules)

    def hide(asked: Asked) -> Asked:
        segments = [
            quote(rewriter.addresses.path(unquote(each).replace("/", "%2F")), safe="")
            if ";" in unquote(each)
            else each
            for each in asked.path.split("/")
        ]
        query = in_order((name, rewriter.parameter(name, value)) for name, value in asked.query)
        return Asked(asked.method, "/".join(segments), query, _hidden(asked.body, rewriter))

    return hide


def hide_target(target: str) -> str:
    """A path and query, for people, without what is secret by its name."""
    return Rewriter(_Hide(), Redaction()).addresses.target(target)


def _hidden(body: bytes, rewriter: Rewriter) -> bytes:
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


class _Hide(Act):
    """Puts the same in the place of every secret."""

    def secret(self, text: str) -> str:
        """One that is called so."""
        return HIDDEN if text else text

    def declared(self, text: str) -> str:
        """One that is declared."""
        return HIDDEN if text else text

    def word(self, text: str) -> str:
        """One that is a word."""
        return HIDDEN if text else text

    def number(self, number: str) -> str:
        """A number that is one."""
        return "0" if number else number
