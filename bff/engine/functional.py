"""Functions of Python in a configuration: named as `package.module:function`, told what they read.

A function says what it reads with `@reads("user", "params.limit")`; it is given just that, and
touching anything else raises.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final, TypeVar

from bff.engine.expression import Scope
from bff.engine.reads import Path, Reads
from bff.errors import ConfigError, Problem, Unfillable
from bff.model.source import Source

_MARK: Final = "__bff_reads__"
_Made = TypeVar("_Made", bound=Callable[..., Any])


def reads(*paths: str) -> Callable[[_Made], _Made]:
    """Say what a function reads: `reads("user", "orders", "session.sub")`."""

    def mark(function: _Made) -> _Made:
        setattr(function, _MARK, tuple(tuple(path.split(".")) for path in paths))
        return function

    return mark


class Function:
    """A function of somebody's module, found at load."""

    __slots__ = ("_function", "reads", "source")

    def __init__(self, source: Source, otherwise: Iterable[str] | None = None) -> None:
        """Find it.

        Args:
            otherwise: root names that it reads if it does not say; None if it must.

        Raises:
            ConfigError: there is no such module or function, or it does not say what it reads.
        """
        self.source = source
        self._function = _find(source)
        declared = getattr(self._function, _MARK, None)
        if declared is None and otherwise is not None:
            declared = tuple((name,) for name in otherwise)
        if declared is None:
            hint = 'from bff.engine.functional import reads; @reads("user", "params.limit")'
            message = f"`{source.text}` does not say what it reads"
            raise ConfigError([Problem(source.place, message, hint)])
        self.reads = Reads(frozenset(declared))

    def value(self, scope: Scope) -> Any:
        """What the function makes of the values that it reads.

        Raises:
            Unfillable: it raised; the log says what, and nothing of the values.
        """
        own: dict[str, Any] = {}
        for path in sorted(self.reads.result):
            _copy(path, scope, own)
        try:
            return self._function(_Given(own))
        except Exception as error:  # noqa: BLE001  (it is somebody else's code)
            raise Unfillable(f"`{self.source.text}` raised {type(error).__name__}") from None


class _Given(dict[str, Any]):
    """The values that a function reads; a name that it did not declare raises."""

    def __missing__(self, name: str) -> Any:
        raise LookupError(f"`{name}` is not among what this function says it reads")


def _find(source: Source) -> Callable[..., Any]:
    module_name, _, name = source.text.partition(":")
    try:
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "`package.module:function`, importable from where bff runs"
        message = f"`{source.text}` is not found: {error}"
        raise ConfigError([Problem(source.place, message, hint)]) from None
    if not callable(found):
        raise ConfigError([Problem(source.place, f"`{source.text}` is no function")])
    function: Callable[..., Any] = found
    return function


def _copy(path: Path, scope: Scope, into: dict[str, Any]) -> None:
    value: Any = scope
    for name in path[:-1]:
        value = value.get(name) if isinstance(value, Mapping) else None
        into = into.setdefault(name, _Given())
    into[path[-1]] = value.get(path[-1]) if isinstance(value, Mapping) else None
