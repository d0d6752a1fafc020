"""HTTP/2 written by hand (RFC 9113, RFC 7541): a client that may say what no library lets it."""

import socket
import ssl
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_STATIC = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # RFC 7541, appendix A


@dataclass
class Said:
    """How nginx took it: the status of its answer, or how it refused one."""

    status: int = 0
    reset: bool = False
    frames: list[int] = field(default_factory=list)


def ask(port: int, trust: str, headers: list[tuple[str, str]], body: bytes = b"") -> Said:
    """Send one request, its headers exactly as they are given, and wait for how it ends."""
    context = ssl.create_default_context(cafile=trust)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        context.wrap_socket(raw, server_hostname="shop.example") as line,
    ):
        assert line.selected_alpn_protocol() == "h2"
        block = b"".join(_literal(name) + value for name, value in map(_encoded, headers))
        flags = END_HEADERS | (0 if body else END_STREAM)
        sent = PREFACE + _frame(SETTINGS, 0, 0) + _frame(HEADERS, flags, 1, block)
        line.sendall(sent + (_frame(DATA, END_STREAM, 1, body) if body else b""))
        return _heard(line)


def _encoded(header: tuple[str, str]) -> tuple[bytes, bytes]:
    name, value = (each.encode("latin-1") for each in header)
    return name, _text(value)


def _literal(name: bytes) -> bytes:
    return b"\x00" + _text(name)  # without indexing, a new name


def _text(text: bytes) -> bytes:
    """A string literal, not Huffman-coded (RFC 7541, section 5.2)."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, size = len(text) - 127, b"\x7f"
    while rest >= 128:
        size += bytes([rest % 128 + 128])
        rest //= 128
    return size + bytes([rest]) + text


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _heard(line: ssl.SSLSocket) -> Said:
    said, file = Said(), line.makefile("rb")
    try:
        while len(head := file.read(9)) == 9:
            kind, flags = head[3], head[4]
            payload = file.read(int.from_bytes(head[:3]))
            said.frames.append(kind)
            if kind == HEADERS and not said.status:
                said.status = _status(payload)
            if kind in {RESET, GOAWAY}:
                said.reset = True
                break
            if kind in {HEADERS, DATA} and flags & END_STREAM:
                break
    except ConnectionError:
        said.reset = True
    return said


def _status(block: bytes) -> int:
    """The status as nginx writes it: first, from the static table or as three plain digits."""
    while block[0] >> 5 == 1:  # a change of the table's size
        block = block[1:]
    if block[0] & 0x80:
        return _STATIC[block[0] & 0x7F]
    return int(block[2:5]) if not block[1] & 0x80 else -1
