"""HTTP/2 written by hand (RFC 9113, RFC 7541): a client that may say what no library lets it."""

import socket
import ssl
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 7, 8
_INITIAL, _INITIAL_WINDOW, _PIECE = 65_535, 4, 16_384
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_STATIC = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # RFC 7541, appendix A


@dataclass
class Said:
    """How nginx took it: the status of its answer, or how it refused one."""

    status: int = 0
    reset: bool = False
    frames: list[int] = field(default_factory=list)
    head: bytes = b""  # as it came, compressed
    body: bytes = b""


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
        line.sendall(PREFACE + _frame(SETTINGS, 0, 0) + _frame(HEADERS, flags, 1, block))
        return _exchanged(line, body)


@dataclass
class _Window:
    """How much may be sent (RFC 9113, section 5.2)."""

    stream: int = _INITIAL
    connection: int = _INITIAL
    initial: int = _INITIAL

    def heard(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE and stream:
            self.stream += int.from_bytes(payload)
        elif kind == WINDOW_UPDATE:
            self.connection += int.from_bytes(payload)
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                if int.from_bytes(payload[at : at + 2]) == _INITIAL_WINDOW:
                    initial = int.from_bytes(payload[at + 2 : at + 6])
                    self.stream, self.initial = self.stream + initial - self.initial, initial


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


def _exchanged(line: ssl.SSLSocket, body: bytes) -> Said:
    """Send the body as far as the windows let it, and read until the answer has ended."""
    said, file, window, rest = Said(), line.makefile("rb"), _Window(), memoryview(body)
    try:
        while True:
            while rest and (size := min(len(rest), _PIECE, window.stream, window.connection)) > 0:
                piece, rest = rest[:size], rest[size:]
                window.stream, window.connection = window.stream - size, window.connection - size
                line.sendall(_frame(DATA, 0 if rest else END_STREAM, 1, bytes(piece)))
            if len(head := file.read(9)) < 9:
                break
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9])
            payload = file.read(int.from_bytes(head[:3]))
            window.heard(kind, flags, stream, payload)
            said.frames.append(kind)
            if kind == HEADERS and not said.status:
                said.status, said.head = _status(payload), payload
            if kind == DATA:
                said.body += payload
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
