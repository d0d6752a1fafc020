"""Log output for a developer's terminal.

In production each line is a JSON object without exception messages, which may contain user data.
"""

import logging
import os
import sysconfig
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "id"}
_LIBRARIES: Final = (
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib")),
)
_MOST: Final = 8  # stack frames of the project that are shown


class TerminalFormatter(logging.Formatter):
    """Formats a record as a line, and an exception by its message and the project's frames."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        if record.getMessage() == "answered":
            return f"{at} {_answered(record.__dict__)}"
        level = "" if record.levelno <= logging.INFO else f"{record.levelname} "
        more = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        told = "".join(f" {name}={value}" for name, value in more.items())
        line = f"{at} {level}{record.getMessage()}{told}"
        error = record.exc_info[1] if record.exc_info else None
        return "\n".join([line, *_error(error)]) if error else line


def log_for_terminal() -> None:
    """Configure the logging of this process for a terminal, at every level."""
    for logger in (logging.getLogger("bff"), logging.getLogger()):
        for handler in logger.handlers:
            handler.setFormatter(TerminalFormatter())
    logging.getLogger("bff").setLevel(logging.DEBUG)


def _answered(told: dict[str, Any]) -> str:
    where = f"/{told['frontend']} {told['view']}" if told.get("view") else told.get("route", "")
    line = f"{told['method']} {where} {told['status']} in {told['ms']} ms"
    calls = told.get("calls") or {}
    odd = [f"{name} {_call(each)}" for name, each in calls.items() if each["outcome"] != "ok"]
    kept = f" (cache: {told['cache']})" if told.get("cache") else ""
    return f"{line}{kept}" + (f"; {', '.join(odd)}" if odd else "")


def _call(outcome: dict[str, Any]) -> str:
    more = (outcome.get("reason"), outcome.get("detail"))
    return " ".join([outcome["outcome"], *(f"({each})" for each in more if each)])


def _error(error: BaseException) -> Iterator[str]:
    """The exception, the project's frames from the last, then its cause."""
    yield f"  {''.join(traceback.format_exception_only(error)).strip()}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if not each.filename.startswith((*_LIBRARIES, "<"))]
    for each in [*reversed(own)][:_MOST] or frames[-1:]:
        yield f"    {_shown(each.filename)}:{each.lineno} in {each.name}"
        if each.line:
            yield f"        {each.line}"
    if own and frames[-1] is not own[-1]:
        yield f"    raised in {_shown(frames[-1].filename)}:{frames[-1].lineno}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause:
        yield "  because of"
        yield from _error(cause)


def _shown(filename: str) -> str:
    shown = os.path.relpath(filename)
    return filename if shown.startswith("..") else shown
