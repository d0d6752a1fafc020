"""Python functions in a configuration: `package.module:function`, with declared reads.

A function declares what it reads with `@reads("user", "params.limit")`; it is given only that, and
access to anything else raises.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from bff.errors import ConfigError, Unfillable
from bff.model.problem import Problem
from bff.model.python import READS
from bff.model.source import Source
from bff.observe.log import logger
from bff.plan.dependencies import Path, Reads
from bff.plan.expression import Scope


class Function:
    """A function of a user's module, imported at load."""

    __slots__ = ("_function", "reads", "source")

    def __init__(self, source: Source, otherwise: Iterable[str] | None = None) -> None:
        """Import it.

        Args:
            otherwise: root names that it reads if it declares none; None if it must declare them.

        Raises:
            ConfigError: there is no such module or function, or it does not declare what it reads.
        """
        self.source = source
        self._function = _find(source)
        declared = getattr(self._function, READS, None)
        if declared is None and otherwise is not None:
            declared = tuple((name,) for name in otherwise)
        if declared is None:
            hint = 'from bff import reads; @reads("user", "params.limit")'
            message = f"`{source.shown}` does not say what it reads"
            raise ConfigError([Problem("python-function", source.place, message, hint)])
        self.reads = Reads(frozenset(declared))

    def value(self, scope: Scope) -> Any:
        """Call the function with the values that it reads.

        Raises:
            Unfillable: it raised; the log names the exception without values.
        """
        try:
            return self._function(given_only(self.reads.result, scope))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 (others' code)
            logger.debug("`%s` raised", self.source.shown, exc_info=error)  # under development
            raise Unfillable(f"`{self.source.shown}` raised {type(error).__name__}") from None


class _Given(dict[str, Any]):
    """The values that a function declares to read; any other name raises LookupError."""

    def __missing__(self, name: str) -> Any:
        raise LookupError(f"`{name}` is not among what this function says it reads")

    def get(self, name: str, default: Any = None) -> Any:
        """A declared value by its name; `default` where it is null."""
        value = self[name]
        return default if value is None else value


def given_only(paths: Iterable[Path], scope: Scope) -> dict[str, Any]:
    """The declared part of a scope; access to anything else raises LookupError."""
    own = _Given()
    whole: set[Path] = set()
    for path in sorted(paths):  # a parent comes before its members
        if not any(path[:length] in whole for length in range(1, len(path))):
            whole.add(path)
            _copy(path, scope, own)
    return own


def _find(source: Source) -> Callable[..., Any]:
    module_name, _, name = source.text.partition(":")
    try:
        found = getattr(import_module(module_name), name)
    except Exception as error:  # noqa: BLE001  (the user's code may raise anything)
        hint = "`package.module:function`, of a module beside bff.yaml or an installed one"
        why = type(error).__name__ if "${" in source.written else str(error)
        message = f"`{source.shown}` is not found: {why}"
        raise ConfigError([Problem("python-function", source.place, message, hint)]) from None
    if not callable(found):
        raise ConfigError(
            [Problem("python-function", source.place, f"`{source.shown}` is no function")]
        )
    function: Callable[..., Any] = found
    return function


def _copy(path: Path, scope: Scope, into: dict[str, Any]) -> None:
    value: Any = scope
    for name in path[:-1]:
        value = value.get(name) if isinstance(value, Mapping) else None
        into = into.setdefault(name, _Given())
    into[path[-1]] = value.get(path[-1]) if isinstance(value, Mapping) else None
