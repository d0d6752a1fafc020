"""Serves an app that is rebuilt when a file changes, or the problems of its configuration."""

import gc
import importlib
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from time import monotonic
from typing import Any, Final

import orjson

from bff.declare.folder import files
from bff.dev.har_files import RecordingError
from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place
from bff.plan.functions import forget_registered

_OFTEN: Final = 0.2  # seconds between two checks
_WATCHED: Final = frozenset({".yaml", ".yml", ".py", ".toml", ".har", ".json"})
_THIRD_PARTY: Final = frozenset({"site-packages", ".venv", "venv", "node_modules", "__pycache__"})
_STYLE: Final = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 3rem auto; padding: 0 1.5rem } h1 { font-size: 1.4rem }
li { margin: 1rem 0 } code, pre { font-family: ui-monospace, monospace } pre { overflow: auto }
"""
_MOST_SHOWN: Final = 200  # characters of a line
_POSITION: Final = re.compile(r"line (\d+),? column (\d+)")
Wsgi = Callable[[Any, Any], Iterable[bytes]]
Seen = dict[Path, tuple[int, int]]


class ReloadingApp:
    """A WSGI app that forwards to the app built from the current files.

    Args:
        build: builds the app; its exception is the answer until the files are corrected.
        folder: of the configuration. Python modules imported from its parent are watched too.
    """

    def __init__(self, build: Callable[[], Wsgi], folder: Path) -> None:
        self._build, self._folder = build, folder.resolve()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._app: Wsgi | None = None
        self._wrong: list[Problem | str] = []
        self._forget_modules()  # imported by the parent process
        self._make()
        threading.Thread(target=self._watch, name="bff-reload", daemon=True).start()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer with the app of the current files."""
        self.refresh()
        app = self._app
        if app is not None:
            return app(environ, start_response)
        html = "text/html" in environ.get("HTTP_ACCEPT", "")
        kind = "text/html" if html else "application/problem+json"
        body = self._page() if html else self._json()
        headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response("500 Internal Server Error", headers)
        return [body]

    def close(self) -> None:
        """Stop watching."""
        self._over.set()

    def refresh(self) -> None:
        """Rebuild the app if a file has changed."""
        with self._lock:
            if self._look() == self._seen:
                return
            begun = monotonic()
            self._forget_modules()
            self._make()
            if self._wrong:
                _say(
                    "".join(f"{each}\n" for each in self._wrong) + "not served until this is fixed"
                )
            else:
                _say(f"reloaded in {(monotonic() - begun) * 1000:.0f} ms")

    def _make(self) -> None:
        self._seen = self._look()
        try:
            self._app, self._wrong = self._build(), []
        except ConfigError as error:
            self._app, self._wrong = None, list(error.problems)
        except RecordingError as error:
            self._app, self._wrong = None, [_problem_of(error)]
        except Exception:  # noqa: BLE001 - a file can raise anything; it is shown to the developer
            self._app, self._wrong = None, [traceback.format_exc(limit=-3)]
        gc.collect()  # ends the threads of the previous app
        self._seen = self._seen | {path: _mark(path) for path in self._modules().values()}

    def _look(self) -> Seen:
        """The watched files, with their modification times and sizes."""
        paths = {path for path in files(self._folder, "**/*") if path.suffix in _WATCHED}
        paths |= set(self._modules().values())
        return {path: _mark(path) for path in paths if not _THIRD_PARTY & set(path.parts)}

    def _modules(self) -> dict[str, Path]:
        """The imported modules of the project, and their files."""
        root, package = self._folder.parent, Path(__file__).parents[1]
        found = {}
        for name, module in list(sys.modules.items()):
            path = Path(getattr(module, "__file__", None) or "/").resolve()
            own = path.is_relative_to(root) and not path.is_relative_to(package)
            if own and not _THIRD_PARTY & set(path.parts):
                found[name] = path
        return found

    def _forget_modules(self) -> None:
        for name in self._modules():
            if name != "__main__":
                del sys.modules[name]
        importlib.invalidate_caches()
        forget_registered()

    def _watch(self) -> None:
        while not self._over.wait(_OFTEN):
            self.refresh()

    def _json(self) -> bytes:
        problems = [
            {"place": str(each.place), "message": each.message, "hint": each.hint or None}
            if isinstance(each, Problem)
            else {"place": None, "message": each, "hint": None}
            for each in self._wrong
        ]
        told = {"title": "The configuration is wrong", "status": 500, "problems": problems}
        return orjson.dumps(told, option=orjson.OPT_INDENT_2)

    def _page(self) -> bytes:
        items = "".join(f"<li>{self._item(each)}</li>" for each in self._wrong)
        return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta http-equiv="refresh" content="1"><title>The configuration is wrong</title>
<style>{_STYLE}</style><h1>The configuration is wrong</h1><ul>{items}</ul>
<p>This page looks again every second.</p></html>""".encode()

    def _item(self, problem: Problem | str) -> str:
        if isinstance(problem, str):
            return f"<pre>{escape(problem)}</pre>"
        line = self._line(problem)
        hint = f"<br>{escape(problem.hint)}" if problem.hint else ""
        shown = f"<pre>{escape(line)}</pre>" if line else ""
        return f"<code>{escape(str(problem.place))}</code> {escape(problem.message)}{hint}{shown}"

    def _line(self, problem: Problem) -> str:
        """The line of the file with the problem."""
        name = problem.place.file
        for path in (Path(name), self._folder / name, self._folder.parent / name):
            try:
                line = path.read_text(encoding="utf-8").splitlines()[problem.place.line - 1]
            except (OSError, IndexError, UnicodeDecodeError):
                continue
            return line[:_MOST_SHOWN]  # a recording may be one long line
        return ""


def _problem_of(error: RecordingError) -> Problem:
    """The problem of a recording or its rules, with its file, and its line if known."""
    file, _, message = str(error).partition(": ")
    found = _POSITION.search(message)
    line, column = (int(found[1]), int(found[2])) if found else (1, 1)
    return Problem("recording", Place(file, line, column), message)


def _mark(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
