"""Error boundaries: an unexpected exception is reported, and fails one call only."""

from dataclasses import dataclass
from typing import Any

from bff.errors import InternalError
from bff.model.exchange import Origin
from bff.observe.events import Observer, Part, UnexpectedError
from bff.observe.log import logger


@dataclass(frozen=True, slots=True)
class ErrorBoundary:
    """Turns unexpected exceptions into an error of one call.

    Args:
        observer: receives an `UnexpectedError` for each; the log has its stack trace.
        raises: whether they are raised instead, as in tests and development.
    """

    observer: Observer = lambda _: None
    raises: bool = False

    def caught(
        self, error: Exception, part: Part, origin: Origin | None = None, id_: str = ""
    ) -> InternalError:
        """Report an exception and return the error that replaces it.

        Raises:
            Exception: `error` itself, if `raises` is set.
        """
        if self.raises:
            raise error
        return self.reported(error, part, origin, id_)

    def reported(
        self, error: Exception, part: Part, origin: Origin | None = None, id_: str = ""
    ) -> InternalError:
        """The same for threads that serve no request: it never raises."""
        kind, id_ = type(error).__name__, id_ or (origin.id if origin else "")
        about: dict[str, Any] = {"part": part, **({"id": id_} if id_ else {})}
        if origin:
            about |= {"frontend": origin.frontend, "view": origin.view, "call": origin.call}
        logger.error("unexpected %s", kind, extra=about, exc_info=error)
        self.observer(UnexpectedError(part, error, origin, id_))
        return InternalError(kind)


def without_frames(result: Any) -> Any:
    """The same result; of an exception the traceback, context and cause are removed.

    The frames of a traceback refer to what was read or decoded, and often to the exception itself:
    a reference cycle that holds this memory until the next garbage collection.
    """
    if isinstance(result, BaseException):
        result.__traceback__ = result.__context__ = result.__cause__ = None
    return result
