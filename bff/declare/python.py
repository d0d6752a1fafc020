"""Views written in Python: their decorator's keys are decoded by the readers of YAML views."""

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
    """Import a Python file, and return the view that it declares.

    Args:
        shown: the name of the file in messages.

    Raises:
        ConfigError: it cannot be imported, or does not declare exactly one view.
    """
    name = f"bff_views_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise wrong("python-view", Place(shown), "this file cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        line = _line(error, path)
        message = f"importing this file raised {type(error).__name__}: {error}"
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
    """A view function, with its declared keys as a node like that of a YAML file."""

    def __init__(self, function: Any, declared: Declared) -> None:
        self._function, self._declared = function, declared
        self.node = node_of(declared.keys, declared.place)

    def complete(self, view: View) -> View:
        """The view that was decoded from `node`, completed with its function.

        Raises:
            ConfigError: it declares keys that a Python view cannot have.
        """
        if view.shape is not None or view.shapes or view.shape_with or view.answer_type != JSON:
            raise wrong(
                "python-view",
                view.place,
                "a view in Python returns its answer: it cannot have a shape",
            )
        if view.stream:
            raise wrong(
                "python-view",
                view.place,
                "a view in Python returns its answer: it cannot be a stream",
            )
        if view.omit_null or view.require_any or isinstance(view.answer, str):
            message = "`omit_null`, `require_any` and `answer` with a call are for shapes"
            raise wrong("python-view", view.place, message, "do it in the function")
        if view.location or view.respond:
            message = "`location` and `respond` are for shapes"
            raise wrong("python-view", view.place, message, "write the view in YAML")
        declared = self._declared
        if declared.given and any(call.pages and call.pages.param for call in view.calls):
            message = "a call with `param` of `pages` cannot be given values by the function"
            raise wrong(
                "python-view", view.place, message, "gather its pages: `pages: {…, gather: 5}`"
            )
        taken = RESERVED | {"null"} | {call.name for call in view.calls}
        for name in sorted(declared.given & taken):
            raise wrong(
                "python-view", view.place, f"`{name}` cannot be given: the name is reserved"
            )
        return replace(view, function=self._function, reads=declared.reads, given=declared.given)


def node_of(value: Any, place: Place) -> Node:
    """A node made of Python values; all parts of it have the same place."""
    if isinstance(value, dict):
        keys = {str(key): Node(key, place, raw=str(key), written=str(key)) for key in value}
        return Node({str(key): node_of(item, place) for key, item in value.items()}, place, keys)
    if isinstance(value, list | tuple):
        return Node([node_of(item, place) for item in value], place)
    if value is not None and not isinstance(value, bool | int | float | str):
        raise wrong(
            "python-view",
            place,
            f"a view cannot be declared with a value of type {type(value).__name__}",
        )
    text = "" if value is None else str(value)
    return Node(value, place, raw=text, written=text)


def _line(error: BaseException, path: Path) -> int:
    """The innermost line of the file in the traceback of an error."""
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
