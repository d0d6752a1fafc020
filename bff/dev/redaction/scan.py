"""Scans entries for suspected secrets before they are written.

Random values that are public by nature are ignored: ETags, request ids, cursors, images.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.redaction.addresses import URL, UrlRewriter
from bff.dev.redaction.pseudonyms import PSEUDONYM, Pseudonyms
from bff.dev.redaction.randomness import looks_random
from bff.dev.redaction.read_body import Unreadable, is_media, media_type, rewrite_body
from bff.dev.redaction.rewrite import Rewriter, ValueVisitor
from bff.dev.redaction.secret_names import is_public, word_set
from bff.dev.redaction.token_shapes import token_in
from bff.dev.redaction.value_context import At, ValueContext
from bff.dev.rules import AllowList, RedactionRules
from bff.model.exchange import Headers

_PUBLIC_HEADERS: Final = word_set(
    "accept accept-ch accept-language alt-svc authentication-info baggage cache-status cf-ray"
    " content-security-policy content-security-policy-report-only date expect-ct last-modified nel"
    " permissions-policy report-to reporting-endpoints sec-websocket-accept sentry-trace server"
    " server-timing strict-transport-security tracestate traceparent user-agent vary via"
    " x-amz-cf-pop x-azure-ref x-cache x-dc x-fb-debug x-msedge-ref x-newrelic-app-data x-served-by"
    " x-timer b3 grpc-trace-bin idempotency-key x-envoy-peer-metadata"
)
_DATA: Final = re.compile(
    r"data:(?:image|audio|video|font)/[\w.+-]+(?:;[\w=-]+)*,[\w+/=%.~-]*"
    r"|data:application/(?:font-woff2?|x-font-\w+)[^,]*,[\w+/=]*"
    r"|(?:sha(?:1|224|256|384|512)|md5)[-:=][\w+/=-]{20,}|nonce-[\w+/=-]+"
)
_SHORT: Final = 6  # shorter texts are not scanned
_DEEPEST: Final = 10  # levels of nested values


@dataclass(frozen=True, slots=True)
class Finding:
    """A suspected secret or an unreadable body, and its place, without the secret itself.

    Args:
        where: the entry, and the place in it.
        what: what it looks like.
        cause: equal for all findings of one cause.
        secret: the line of rules.toml that declares it secret.
        allow: the line that allows it.
        verb: the verb before `what`.
    """

    where: str
    what: str
    cause: str = ""
    secret: str = ""
    allow: str = ""
    verb: str = "looks like"


def findings(
    entry: dict[str, Any],
    number: int,
    title: str,
    allow: AllowList | None = None,
    known: Pseudonyms | None = None,
) -> list[Finding]:
    """The suspected secrets of a HAR entry.

    Args:
        number: the index of the entry, from 0.
        title: the title of its page.
        allow: what is allowed although it looks like a secret.
        known: secrets that must not occur in any encoding.
    """
    allowed = allow or AllowList()
    finder = _Finder(allowed, known)
    request, response = entry["request"], entry["response"]
    posted = request.get("postData") or {}
    content = response["content"]
    if known:
        known.focus([title, *_texts(request), *_texts(response), _bytes(content).decode("latin-1")])
    finder.target("page's title", title)
    finder.target("request.url", request["url"])
    for part, message in (("request", request), ("response", response)):
        for each in message.get("headers") or ():
            finder.header(f"{part}.headers.{each['name']}", each["name"], each.get("value") or "")
    for each in posted.get("params") or ():
        place = f"request.postData.params.{each['name']}"
        finder.at(place, each["name"], each.get("value") or "", f'paths = ["{each["name"]}"]')
    finder.body("request.postData.text", (posted.get("text") or "").encode(), posted)
    finder.body("response.content.text", _bytes(content), content)
    where = f"log.entries[{number}] {_shown(request)}"
    return [
        Finding(f"{where}: {each.where}", each.what, each.cause, each.secret, each.allow)
        for each in finder.found
    ]


def _texts(message: dict[str, Any]) -> list[str]:
    posted = message.get("postData") or {}
    named = [*(message.get("headers") or ()), *(posted.get("params") or ())]
    values = [each.get("value") or "" for each in named]
    text = (message.get("content") or {}).get("text") or ""
    return [message.get("url") or "", posted.get("text") or "", text, *values]


def unreadable(exchanged: RecordedExchange, allow: AllowList, known: Pseudonyms) -> list[Finding]:
    """The bodies of an exchange that cannot be searched for secrets."""
    request, reply = exchanged.request, exchanged.reply
    bodies = (("request", request.headers, request.body), ("response", reply.headers, reply.body))
    found = []
    for part, headers, body in bodies:
        kind = _content_type(headers)
        why = _why_unreadable(body, kind, known)
        if why and not allow.body(media_type(kind)):
            where = f"{request.method} {request.target.partition('?')[0]}: the {part}'s body"
            line = f'allow = ["{media_type(kind)}"]' if media_type(kind) else ""
            cause = f"{part} {media_type(kind)} {why}"
            found.append(Finding(where, why, cause, allow=line, verb="cannot be read: it is"))
    return found


def _why_unreadable(body: bytes, kind: str, known: Pseudonyms) -> str:
    if is_media(body, kind):
        known.focus(None)
        hidden = known.left(body.decode("latin-1"))
        return "an image or other media with a secret in it" if hidden else ""
    try:
        rewrite_body(body, kind, Rewriter(ValueVisitor(), RedactionRules()))
    except Unreadable as error:
        return str(error)
    return ""


def _content_type(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() == "content-type"), "")


def _shown(request: dict[str, Any]) -> str:
    """The method and path, for messages; the path is omitted if it looks like a secret."""
    path = urlsplit(request["url"]).path
    hidden = token_in(path) or any(looks_random(each, in_path=True) for each in path.split("/"))
    return f"{request['method']} {'…' if hidden else path}"


def _bytes(content: dict[str, Any]) -> bytes:
    text: str = content.get("text") or ""
    if content.get("encoding") != "base64":
        return text.encode(errors="surrogatepass")
    try:
        return b64decode(text)
    except ValueError:
        return b""


class _Finder(Rewriter):
    """Traverses an entry as the redaction does, and collects suspected secrets."""

    def __init__(self, allow: AllowList, known: Pseudonyms | None) -> None:
        super().__init__(ValueVisitor(), RedactionRules())
        self.found: list[Finding] = []
        self._allow, self._known = allow, known
        self._place = self._name = self._line = ""
        self._at: At = ()
        self._in_path = self._is_public = False
        self.addresses = UrlRewriter(self.parameter, self._segment, self._segment)

    def target(self, place: str, text: str) -> None:
        """Scan a URL."""
        self._place, self._name, self._at, self._line = place, "", (), ""
        if "://" in text:
            self._check(text, certain=True)
            self.addresses.url(text)
        else:
            self.addresses.target(text)

    def header(self, place: str, name: str, value: str) -> None:
        """Scan a header."""
        if self._allow.header(name):
            return
        self._is_public = name.lower() in _PUBLIC_HEADERS or is_public(name)
        self._place, self._at, self._line = place, (), f'headers = ["{name}"]'
        self._name = name
        if value.startswith(("/", "?")) and "=" in value:
            self.addresses.target(value)
        else:
            self.text(value)
        self._is_public = False

    def at(self, place: str, name: str, value: str, line: str) -> None:
        """Scan a form field."""
        self._place, self._name, self._at, self._line = place, name, (), line
        self.text(value)

    def body(self, place: str, body: bytes, described: dict[str, Any]) -> None:
        """Scan a body; an unreadable one is searched for known secrets only."""
        self._place, self._name, self._at, self._line = place, "", (), ""
        kind = str(described.get("mimeType") or "")
        if is_media(body, kind):
            self._check(body.decode("latin-1"), certain=True)
            return
        try:
            rewrite_body(body, kind, self)
        except Unreadable:
            self._check(body.decode(errors="replace"), certain=True)

    def leaf(self, text: str, context: ValueContext) -> str:
        """Scan a text in its context."""
        if not context.at:
            return self.text(text)
        outer = self._name, self._at, self._line
        if not self._allow.at(context.at):
            path = _path(context.at)
            self._name, self._at = context.name, context.at
            self._line = f'paths = ["{path}"]'
            self.text(text)
        self._name, self._at, self._line = outer
        return text

    def pair(self, name: str, value: str) -> str:
        """Scan a field of a form or of multipart."""
        return self.leaf(value, ValueContext(name, at=(name,))) if name else self.text(value)

    def parameter(self, name: str, value: str) -> str:
        """Scan a query parameter."""
        outer = self._name, self._line
        self._name = name
        self._line = self._line or f'query = ["{name}"]'
        self.text(value)
        self._name, self._line = outer
        return value

    def text(self, text: str) -> str:
        """Scan a text and the values nested in it."""
        if len(text) < _SHORT:
            return text
        self._deep += 1
        inner = self._inner(text) if self._deep < _DEEPEST else None
        if inner is None and "://" in text:
            self._loose(text)
        self._deep -= 1
        if inner is None or "://" in text[:20]:
            self._check(text, certain=inner is not None)
        return text

    def _segment(self, segment: str) -> str:
        self._in_path = True
        self.text(segment)
        self._in_path = False
        return segment

    def _check(self, text: str, *, certain: bool) -> None:
        for pattern in self._allow.patterns:
            text = pattern.sub(" ", text)
        text = PSEUDONYM.sub("redacted-", text)
        what = token_in(text)
        if not what and self._known and self._known.left(text):
            what = "a secret found elsewhere"
        if not what and not certain and not (self._is_public or is_public(self._name)):
            bare = _DATA.sub(" ", URL.sub(" ", text))
            what = looks_random(bare, self._name, in_path=self._in_path)
        if what:
            self._note(what)

    def _note(self, what: str) -> None:
        within = f" at {_path(self._at, numbered=True)}" if self._at else ""
        where = self._place + within
        if any(each.where == where and each.what == what for each in self.found):
            return
        general = f" at {_path(self._at)}" if self._at else ""
        header = self._line.startswith("headers")
        allow = self._line.partition("= ")[2] if header or self._at else ""
        self.found.append(
            Finding(
                where,
                what,
                f"{self._place}{general} {what} {self._name}",
                self._line,
                f"allow = {allow}" if allow else "",
            )
        )


def _path(at: At, *, numbered: bool = False) -> str:
    made = ""
    for each in at:
        if isinstance(each, int):
            made += f"[{each}]" if numbered else "[]"
        else:
            made += f".{each}" if made else each
    return made
