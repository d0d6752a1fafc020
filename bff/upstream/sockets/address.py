"""One address of a service: connection parameters, idle connections, and request serialization."""

import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import httpx

from bff.errors import BadReply
from bff.model.exchange import Request
from bff.model.service import Service
from bff.upstream.httpx_mapping import request_headers
from bff.upstream.sockets.idle import IdleConnections

# Targets that httpx does not change; any other target, also with dot segments, is passed to httpx.
_AS_IT_IS: Final = re.compile(r"/[\w\-.~!$&'()*+,;=:@/]*(\?[\w\-.~!$&'()*+,;=:@/?]*)?", re.ASCII)
_DOTS: Final = "/."
_LONGEST: Final = 60_000  # below httpx's limit for a whole URL
_TOKEN: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_VALUE: Final = re.compile(rb"(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?")  # as h11 accepts it
_SAYS_NO_BODY: Final = frozenset({"POST", "PUT", "PATCH"})  # RFC 9110, section 8.6


@dataclass(frozen=True, slots=True, eq=False)
class Address:
    """The connection parameters of an address, and its idle connections.

    Args:
        url: as declared.
        host: without the brackets of an IPv6 address.
        path: the declared path, a prefix of all targets; without a trailing slash.
        host_header: the Host header line (RFC 9110, section 7.2).
        tls: None for plain connections.
        renew: the maximum age of a connection, in seconds.
    """

    url: str
    host: str
    port: int
    path: str
    host_header: bytes
    tls: ssl.SSLContext | None
    renew: float
    idle: IdleConnections = field(default_factory=IdleConnections)

    def request_bytes(self, request: Request) -> bytes:
        """Serialize a request (RFC 9112, section 3); the bytes are the same that httpx sends.

        Raises:
            BadReply: a header or the target is not valid in HTTP.
        """
        target, body, host = self._target(request.target), request.body, self.host_header
        lines, length = [], False
        for name, value in request_headers(request.headers + request.trace):
            if not _is_token(name) or not _VALUE.fullmatch(value):
                raise BadReply("LocalProtocolError")
            line = b"%b: %b" % (name, value)
            if name.lower() == b"host":
                host = line
                continue
            length = length or name.lower() == b"content-length"
            lines.append(line)
        if body and not length:
            lines.append(b"Content-Length: %d" % len(body))
        elif not length and request.method in _SAYS_NO_BODY:
            host += b"\r\nContent-Length: 0"
        first = f"{request.method} {target} HTTP/1.1".encode("ascii")
        return b"\r\n".join((first, host, *lines, b"", body))

    def _target(self, target: str) -> str:
        plain = _AS_IT_IS.fullmatch(target) and _DOTS not in target and len(target) < _LONGEST
        if plain:
            return self.path + target
        try:
            return httpx.URL(self.url + target).raw_path.decode("ascii")
        except httpx.InvalidURL:
            raise BadReply("InvalidURL") from None


def address_of(service: Service, url: str, context: ssl.SSLContext) -> Address:
    """Create an address of a service.

    Args:
        context: used for https only.
    """
    parsed = httpx.URL(url.rstrip("/") + "/")
    secure = parsed.scheme == "https"
    if secure:
        context.set_alpn_protocols(["http/1.1"])
    return Address(
        url=url,
        host=parsed.raw_host.decode("ascii"),
        port=parsed.port or (443 if secure else 80),
        path=parsed.raw_path[:-1].decode("ascii"),
        host_header=b"Host: " + parsed.netloc,
        tls=context if secure else None,
        renew=service.renew,
    )


@lru_cache(1024)  # bounded: names are declared, or declared to be forwarded
def _is_token(name: bytes) -> bool:
    return _TOKEN.fullmatch(name) is not None
