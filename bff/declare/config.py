"""A folder of files becomes one Config, or the list of everything wrong with it."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from bff.declare.access import ISSUER, LIMITS, PROVIDER, SESSION
from bff.declare.caching import STORE
from bff.declare.checks.cross_checks import crossing, refreshed
from bff.declare.checks.production import unsafe_secrets
from bff.declare.folder import (
    gunicorn_files,
    load_file,
    load_folder,
    load_python_views,
    shown,
    unread_files,
)
from bff.declare.load import Loaded, Node
from bff.declare.python import PythonView
from bff.declare.read import PERCENT, Key, integer, list_of, map_of, one_of, table, text, wrong
from bff.declare.readers import FRONTEND_NAME, NAME
from bff.declare.relays import relay_problems, relay_reader
from bff.declare.services import FRONTEND, SERVICE
from bff.declare.views import view_reader
from bff.errors import ConfigError
from bff.model.access import Issuer, Provider
from bff.model.config import Config
from bff.model.problem import Problem, did_you_mean
from bff.model.service import Service
from bff.model.source import Place
from bff.model.view import View

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HOST: Final = text(
    r"[a-z0-9.-]+|\[[0-9a-f:]+\]", "a host name", "without a port, in small letters"
)
_TWICE: Final = "there is a view `{}` in YAML already"
_NOT_READ: Final = "only NAME.yaml in views, calls and relays, and views/NAME.py, are"
_RESERVED_PREFIXES: Final = frozenset({"auth", "livez", "readyz"})

ROOT_KEYS: Final = {
    "version": Key(integer(1, 1), "The version of this language: 1.", required=True),
    "hosts": Key(list_of(_HOST), "Host names it answers to; loopback if not said.", _LOOPBACK),
    "frontends": Key(map_of(FRONTEND, FRONTEND_NAME), "Who asks.", required=True),
    "services": Key(map_of(SERVICE, NAME), "Who is asked.", required=True),
    "providers": Key(map_of(PROVIDER, NAME), "Who people sign in with, the usual one first."),
    "issuers": Key(map_of(ISSUER, NAME), "Whose bearer tokens count."),
    "session": Key(SESSION, "How long sessions live, and where."),
    "limits": Key(LIMITS, "How often one person or address may ask."),
    "python": Key(
        list_of(text(r"[A-Za-z_][\w.]*", "a module's name")),
        "Modules that register functions of their own.",
        (),
    ),
    "cache": Key(STORE, "Where what is kept is kept."),
    "exchange": Key(
        one_of("sockets", "pool"), "What sends requests to services; sockets where installed."
    ),
    "streams": Key(PERCENT, "The share of threads that streams may hold; 50%."),
}


def _import(place: Place, names: Sequence[str]) -> None:
    """Import modules that register functions of the language's."""
    for name in names:
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001  (it is somebody else's code)
            message = f"importing `{name}` raised {type(error).__name__}: {error}"
            raise wrong(
                "python-function", place, message, "a module beside bff.yaml, or an installed one"
            ) from None


def _root(place: Place, values: dict[str, Any]) -> Config:
    _import(place, values["python"])
    frontends = {name: replace(each, name=name) for name, each in values["frontends"].items()}
    services = {name: replace(each, name=name) for name, each in values["services"].items()}
    if not frontends:
        raise wrong("missing-key", place, "without a frontend there is nobody to answer")
    for name in _RESERVED_PREFIXES & frontends.keys():
        raise wrong(
            "taken-name",
            frontends[name].place,
            f"a frontend cannot be called `{name}`: it is taken",
        )
    providers = {name: replace(each, name=name) for name, each in values["providers"].items()}
    issuers = {name: replace(each, name=name) for name, each in values["issuers"].items()}
    _unknown_providers(services, providers)
    _vouch_once(providers)
    _vouch_once(issuers)
    return Config(
        hosts=values["hosts"],
        frontends=frontends,
        services=services,
        views=(),
        providers=providers,
        issuers=issuers,
        session=values["session"],
        limits=values["limits"],
        cache=values["cache"],
        exchange=values["exchange"],
        streams=values["streams"],
        place=place,
    )


def _unknown_providers(services: Mapping[str, Service], providers: Mapping[str, Provider]) -> None:
    """Tokens are asked for at providers that are declared."""
    for service in services.values():
        name = service.grant.provider
        if name and name not in providers:
            hint = did_you_mean(name, providers)
            raise wrong(
                "unknown-provider",
                service.place,
                f"`{service.name}` asks an unknown provider `{name}`",
                hint,
            )


def _vouch_once(declared: Mapping[str, Provider] | Mapping[str, Issuer]) -> None:
    """An issuer is declared once: a token of it could be read by one rule or by another."""
    seen: dict[str, str] = {}
    for name, each in declared.items():
        if each.issuer in seen:
            raise wrong(
                "taken-name", each.place, f"`{seen[each.issuer]}` has the same issuer as `{name}`"
            )
        seen[each.issuer] = name


ROOT: Final = table(_root, ROOT_KEYS, "bff.yaml", Config)


def read_config(
    folder: Path, environ: Mapping[str, str] = os.environ
) -> tuple[Config, list[Problem]]:
    """Read `bff.yaml`, `views/*.yaml`, `views/*.py` and `calls/*.yaml` of a folder.

    Returns:
        What they declare, and what in them is doubtful.

    Args:
        environ: what `${NAME}` refers to.

    Raises:
        ConfigError: with every problem of every file.
    """
    if not (folder / "bff.yaml").is_file():
        hint = "`--config` names the folder that holds bff.yaml"
        raise wrong("file-unreadable", Place(str(folder)), "there is no bff.yaml here", hint)
    beside = str(folder.resolve())
    if beside not in sys.path:
        sys.path.append(beside)  # functions of Python may stand beside bff.yaml
    python, broken = load_python_views(folder / "views")
    nodes = {name: each.node for name, each in python.items()}
    views = load_folder(folder / "views", environ)
    for name in sorted(views.keys() & (nodes.keys() | broken.keys())):
        broken[name] = wrong(
            "file-name", Place(shown(folder / f"views/{name}.py")), _TWICE.format(name)
        )
    views |= nodes | broken
    shared = load_folder(folder / "calls", environ)
    relays = load_folder(folder / "relays", environ)
    root = load_file(folder / "bff.yaml", environ)
    config = assemble(root, views, shared, python, relays)
    passed_on = [each for each in relays.values() if isinstance(each, Node)]
    secrets = unsafe_secrets(root, passed_on) if isinstance(root, Node) else ()
    return config, [
        *_unused(shared, views),
        *secrets,
        *gunicorn_files(folder),
        *(
            Problem(
                "file-not-read",
                Place(shown(path)),
                "this file is not read",
                _NOT_READ,
                warning=True,
            )
            for path in unread_files(folder)
        ),
    ]


def assemble(
    root: Loaded,
    views: Mapping[str, Loaded],
    shared: Mapping[str, Loaded],
    python: Mapping[str, PythonView] | None = None,
    relays: Mapping[str, Loaded] | None = None,
) -> Config:
    """A Config from loaded files; one that could not be loaded is an error among the others.

    Args:
        python: the functions of those views that are written in Python.

    Raises:
        ConfigError: with every problem of every file.
    """
    python, relays = python or {}, relays or {}
    loaded = (root, *views.values(), *shared.values(), *relays.values())
    problems = [
        problem for each in loaded if isinstance(each, ConfigError) for problem in each.problems
    ]
    config = Config((), {}, {}, ())
    if isinstance(root, Node):
        try:
            config = ROOT.read(root)
        except ConfigError as error:
            problems += error.problems
    read = view_reader(shared, config.frontends)

    def view(name: str, node: Node) -> View:
        declared: View = read(name, node)
        return python[name].complete(declared) if name in python else declared

    declared, wrong_views = _read_all(views, view)
    passed_on, wrong_relays = _read_all(relays, relay_reader(config.frontends))
    problems += wrong_views + wrong_relays
    config = replace(config, relays=passed_on)
    if config.frontends:
        problems += crossing(config, declared)
        problems += refreshed(declared, broken=views.keys())
        problems += relay_problems(config, declared)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    referred = tuple(one for each in loaded if isinstance(each, Node) for one in each.referred)
    return replace(config, views=declared, referred=referred)


def _read_all(
    nodes: Mapping[str, Loaded], read: Callable[[str, Node], Any]
) -> tuple[tuple[Any, ...], list[Problem]]:
    """What the nodes that could be loaded declare, and what is wrong with the others."""
    found: list[Any] = []
    problems: list[Problem] = []
    for name, node in nodes.items():
        if isinstance(node, Node):
            try:
                found.append(read(name, node))
            except ConfigError as error:
                problems += error.problems
    return tuple(found), problems


def _unused(calls: Mapping[str, Loaded], views: Mapping[str, Loaded]) -> list[Problem]:
    used = {name for node in views.values() if isinstance(node, Node) for name in _uses(node)}
    return [
        Problem("unused-call", node.place, f"no view uses the call `{name}`", warning=True)
        for name, node in calls.items()
        if name not in used and isinstance(node, Node)
    ]


def _uses(view: Node) -> set[str]:
    calls = view.value.get("calls") if isinstance(view.value, dict) else None
    lone = view.value.get("call") if isinstance(view.value, dict) else None
    nodes = [*(calls.value.values() if calls and isinstance(calls.value, dict) else ()), lone]
    uses = [each.value.get("use") for each in nodes if each and isinstance(each.value, dict)]
    return {str(use.plain) for use in uses if use}
