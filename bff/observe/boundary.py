"""What becomes of an exception that no code expects: it is reported, and ends one call only."""

from dataclasses import dataclass
from typing import Any

from bff.errors import InternalError
from bff.model.exchange import Origin
from bff.observe.events import Observer, Part, Unforeseen
from bff.observe.log import logger


@dataclass(frozen=True, slots=True)
class ErrorBoundary:
    """Turns exceptions that no code expects into errors of one call.

    Args:
        observer: hears of each, besides the log, which has its trace.
        raises: whether a request is ended by it after all, as tests and developers want.
    """

    observer: Observer = lambda _: None
    raises: bool = False

    def caught(
        self, error: Exception, part: Part, origin: Origin | None = None, id_: str = ""
    ) -> InternalError:
        """Report an exception; what stands for it from now on.

        Raises:
            Exception: `error` itself, where it is to end the request.
        """
        if self.raises:
            raise error
        return self.reported(error, part, origin, id_)

    def reported(
        self, error: Exception, part: Part, origin: Origin | None = None, id_: str = ""
    ) -> InternalError:
        """The same on a thread that serves no request: it never raises."""
        kind, id_ = type(error).__name__, id_ or (origin.id if origin else "")
        about: dict[str, Any] = {"part": part, **({"id": id_} if id_ else {})}
        if origin:
            about |= {"frontend": origin.frontend, "view": origin.view, "call": origin.call}
        logger.error("unforeseen %s", kind, extra=about, exc_info=error)
        self.observer(Unforeseen(part, error, origin, id_))
        return InternalError(kind)


def without_frames(result: Any) -> Any:
    """A result, without where it was raised if it is an error.

    Frames that an error has passed hold what was read or decoded, and often the error: a circle
    that would keep all of that until the garbage collector comes by.
    """
    if isinstance(result, BaseException):
        result.__traceback__ = result.__context__ = result.__cause__ = None
    return result
