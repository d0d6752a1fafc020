"""The fingerprint of a view's declaration, a part of cache keys: a changed view starts anew."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from bff.cache.key import digest_of
from bff.model.source import Source
from bff.model.view import View
from bff.plan.plan import Plan


def fingerprint(plan: Plan) -> str:
    """A digest of a view's declaration, of its services, and of the code of its functions."""
    view = plan.view
    services = [repr(node.compiled.service) for node in plan.nodes.values()]
    code = [path.read_bytes() for path in _files(view) if path.is_file()]
    return digest_of(version("bff-proxy"), repr(replace(view, function=None)), services, code)


def _files(view: View) -> Iterator[Path]:
    """The modules of its functions."""
    if view.function is not None:
        yield Path(view.function.__code__.co_filename)
    functions = [
        view.shape_with,
        *(call.body for call in view.calls if call.body_kind == "json_with"),
    ]
    for source in functions:
        if isinstance(source, Source):
            module = sys.modules.get(source.text.partition(":")[0])
            file = getattr(module, "__file__", None)
            if file:
                yield Path(file)
