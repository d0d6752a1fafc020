"""Views written in Python: files beside those of YAML, decoded by the same readers."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bff.declare.load import Node
from bff.declare.read import wrong
from bff.model.python import VIEW, Declared
from bff.model.source import Place
from bff.model.view import JSON, View
from bff.plan.names import RESERVED


def load_python(path: Path, shown: str) -> "PythonView":
    """The view that a Python file declares.

    Raises:
        ConfigError: it cannot be imported, or declares no view or several.
    """
    name = f"bff_views_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise wrong("python-view", Place(shown), "this cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (it is somebody else's code)
        line = _line(error, path)
        message = f"importing this raised {type(error).__name__}: {error}"
        raise wrong("python-view", Place(shown, line), message) from None
    functions = module.__dict__.get(VIEW, [])
    if len(functions) != 1:
        hint = "one function with `@bff.view(get=…, calls={…})`"
        raise wrong(
            "python-view", Place(shown), f"this file declares {len(functions) or 'no'} views", hint
        )
    declared: Declared = getattr(functions[0], VIEW)
    place = Place(shown, declared.place.line)
    return PythonView(functions[0], replace(declared, place=place))


class PythonView:
    """A function and what it declares; its node reads like that of a YAML file."""

    def __init__(self, function: Any, declared: Declared) -> None:
        self._function, self._declared = function, declared
        self.node = node_of(declared.keys, declared.place)

    def complete(self, view: View) -> View:
        """The view that was read from `node`, with its function."""
        if view.shape is not None or view.shapes or view.shape_with or view.answer_type != JSON:
            raise wrong(
                "python-view", view.place, "a view in Python returns its answer: it has no shape"
            )
        if view.stream:
            raise wrong(
                "python-view", view.place, "a view in Python returns its answer: it is no stream"
            )
        if view.omit_null or view.require_any or isinstance(view.answer, str):
            message = "`omit_null`, `require_any` and the status of a call are for shapes"
            raise wrong("python-view", view.place, message, "do it in the function")
        if view.location or view.respond:
            message = "`location` and `respond` are for shapes"
            raise wrong("python-view", view.place, message, "write the view in YAML")
        own = self._declared
        if own.given and any(call.pages and call.pages.param for call in view.calls):
            message = "a call whose pages a client turns is one list: it cannot be given values"
            raise wrong(
                "python-view", view.place, message, "gather its pages: `pages: {…, gather: 5}`"
            )
        taken = RESERVED | {"null"} | {call.name for call in view.calls}
        for name in sorted(own.given & taken):
            raise wrong(
                "python-view", view.place, f"`{name}` cannot be given: the name has a meaning"
            )
        return replace(view, function=self._function, reads=own.reads, given=own.given)


def node_of(value: Any, place: Place) -> Node:
    """A node of Python's own values; all of it stands at one place."""
    if isinstance(value, dict):
        keys = {str(key): Node(key, place, raw=str(key), written=str(key)) for key in value}
        return Node({str(key): node_of(each, place) for key, each in value.items()}, place, keys)
    if isinstance(value, list | tuple):
        return Node([node_of(each, place) for each in value], place)
    if value is not None and not isinstance(value, bool | int | float | str):
        raise wrong(
            "python-view",
            place,
            f"a {type(value).__name__} is nothing that a view is declared with",
        )
    text = "" if value is None else str(value)
    return Node(value, place, raw=text, written=text)


def _line(error: BaseException, path: Path) -> int:
    """The last line of the file that the error came through."""
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
