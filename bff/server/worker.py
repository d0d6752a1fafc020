"""The worker class: gunicorn's threaded worker, with three changes.

- A body that the app did not read is discarded within limits, or the connection closed in stages.
- Requests that do not reach the app are answered with problem details.
- The threads that wait for bytes of a request are counted.
"""

from threading import get_ident
from typing import Any, Final

from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from bff.server.linger import Lingering
from bff.server.malformed import refusal_of
from bff.server.request_body import RequestBody
from bff.web.management.reading_threads import HEADS, waiting

MOST_UNREAD: Final = 1024 * 1024  # bytes of a body that are discarded; the default limit of nginx
_DISCARDING: Final = 1.0  # seconds that a request thread may spend on it


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """A worker process.

    Attributes:
        most_unread: maximum bytes that are discarded of a body that the app did not read.
    """

    most_unread = MOST_UNREAD

    def run(self) -> None:
        """Serve until the worker is stopped."""
        self._lingering = Lingering(self.poller, self._connection_closed)
        super().run()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events, at most until the next half-closed connection is due."""
        super().wait_for_and_dispatch_events(min(timeout, self._lingering.seconds_until_due()))
        self._lingering.expire()

    def handle(self, conn: Any) -> Any:
        """Read and answer a request, on a request thread."""
        with waiting(HEADS):
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head has been read."""
        HEADS.discard(get_ident())
        if _says_close(req.headers):
            req.force_close()
        req.body = RequestBody(req, conn.sock, self.most_unread)
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Reuse the connection for the next request, or close it; on the main thread."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        body = getattr(getattr(conn.parser, "mesg", None), "body", None)
        self._lingering.add(conn.sock, getattr(body, "allowance", self.most_unread))

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: Exception) -> None:
        """Answer a request that could not be read, or whose app has failed."""
        try:
            write_nonblock(client, refusal_of(exc))
        except OSError:
            self.log.debug("the client closed the connection before its request was refused")

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        """True if the connection can be reused for another request."""
        parser = conn.parser
        return bool(keepalive) and parser.mesg.body.discard(parser.unreader, _DISCARDING)

    def _connection_closed(self) -> None:
        self.nr_conns -= 1


def _says_close(headers: list[tuple[str, str]]) -> bool:
    """True if Connection has the option `close` (RFC 9112, section 9.3)."""
    return any(
        option.strip().lower() == "close"
        for name, value in headers
        if name == "CONNECTION"
        for option in value.split(",")
    )
