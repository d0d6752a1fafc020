"""Reads the files of a folder into one Config, or reports all of their problems."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from bff.declare.access import ISSUER, LIMITS, PROVIDER, SESSION
from bff.declare.caching import STORE
from bff.declare.checks.cross_checks import cross_problems, refresh_problems
from bff.declare.checks.production import unsafe_secrets
from bff.declare.folder import (
    gunicorn_files,
    load_file,
    load_folder,
    load_python_views,
    shown,
    unread_files,
)
from bff.declare.load import LoadResult, Node
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
_DUPLICATE_VIEW: Final = "the view `{}` is already declared in YAML"
_NOT_READ: Final = "the files that are read: NAME.yaml in views, calls and relays; views/NAME.py"
_RESERVED_PREFIXES: Final = frozenset({"auth", "livez", "readyz"})

ROOT_KEYS: Final = {
    "version": Key(integer(1, 1), "The version of the configuration format: 1.", required=True),
    "hosts": Key(
        list_of(_HOST), "Accepted values of the Host header; loopback by default.", _LOOPBACK
    ),
    "frontends": Key(
        map_of(FRONTEND, FRONTEND_NAME),
        "The client applications, by their URL prefix.",
        required=True,
    ),
    "services": Key(map_of(SERVICE, NAME), "The internal services, by name.", required=True),
    "providers": Key(
        map_of(PROVIDER, NAME),
        "OpenID providers that users sign in with; the first is the default.",
    ),
    "issuers": Key(map_of(ISSUER, NAME), "Issuers whose bearer tokens are accepted (RFC 9068)."),
    "session": Key(SESSION, "Sessions: lifetime, store, secrets, cookie."),
    "limits": Key(LIMITS, "Rate limits by user or IP address."),
    "python": Key(
        list_of(text(r"[A-Za-z_][\w.]*", "a module's name")),
        "Python modules that register functions for expressions.",
        (),
    ),
    "cache": Key(
        STORE, "The cache store that processes share, and the size of the cache in memory."
    ),
    "exchange": Key(
        one_of("sockets", "pool"),
        "What sends requests to services; default `sockets` if installed.",
    ),
    "streams": Key(
        PERCENT, "Maximum share of request threads that streams may occupy; default 50%."
    ),
}


def _import(place: Place, names: Sequence[str]) -> None:
    """Import the modules that register functions for expressions."""
    for name in names:
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001  (user code may raise anything)
            message = f"importing `{name}` raised {type(error).__name__}: {error}"
            raise wrong(
                "python-function", place, message, "a module beside bff.yaml, or an installed one"
            ) from None


def _root(place: Place, values: dict[str, Any]) -> Config:
    _import(place, values["python"])
    frontends = {
        name: replace(frontend, name=name) for name, frontend in values["frontends"].items()
    }
    services = {name: replace(service, name=name) for name, service in values["services"].items()}
    if not frontends:
        raise wrong("missing-key", place, "`frontends` needs at least one frontend")
    for name in _RESERVED_PREFIXES & frontends.keys():
        raise wrong(
            "taken-name",
            frontends[name].place,
            f"a frontend cannot be called `{name}`: the prefix is reserved",
        )
    providers = {
        name: replace(provider, name=name) for name, provider in values["providers"].items()
    }
    issuers = {name: replace(issuer, name=name) for name, issuer in values["issuers"].items()}
    _unknown_providers(services, providers)
    _check_unique_issuers(providers)
    _check_unique_issuers(issuers)
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
    """Reject a grant of a service that names an undeclared provider."""
    for service in services.values():
        name = service.grant.provider
        if name and name not in providers:
            hint = did_you_mean(name, providers)
            raise wrong(
                "unknown-provider",
                service.place,
                f"`{service.name}` requests tokens from an unknown provider `{name}`",
                hint,
            )


def _check_unique_issuers(declared: Mapping[str, Provider] | Mapping[str, Issuer]) -> None:
    """Reject two declarations of one issuer: which of them validates its tokens is undefined."""
    seen: dict[str, str] = {}
    for name, issuer in declared.items():
        if issuer.issuer in seen:
            raise wrong(
                "taken-name",
                issuer.place,
                f"`{seen[issuer.issuer]}` has the same issuer as `{name}`",
            )
        seen[issuer.issuer] = name


ROOT: Final = table(_root, ROOT_KEYS, "bff.yaml", Config)


def read_config(
    folder: Path, environ: Mapping[str, str] = os.environ
) -> tuple[Config, list[Problem]]:
    """Read `bff.yaml` and the files of `views/`, `calls/` and `relays/` of a folder.

    Args:
        environ: the variables that `${NAME}` refers to.

    Returns:
        The configuration, and its warnings.

    Raises:
        ConfigError: with every problem of every file.
    """
    if not (folder / "bff.yaml").is_file():
        hint = "`--config` names the folder that holds bff.yaml"
        raise wrong("file-unreadable", Place(str(folder)), "there is no bff.yaml here", hint)
    beside = str(folder.resolve())
    if beside not in sys.path:
        sys.path.append(beside)  # for Python functions beside bff.yaml
    python, broken = load_python_views(folder / "views")
    nodes = {name: view.node for name, view in python.items()}
    views = load_folder(folder / "views", environ)
    for name in sorted(views.keys() & (nodes.keys() | broken.keys())):
        broken[name] = wrong(
            "file-name", Place(shown(folder / f"views/{name}.py")), _DUPLICATE_VIEW.format(name)
        )
    views |= nodes | broken
    shared = load_folder(folder / "calls", environ)
    relays = load_folder(folder / "relays", environ)
    root = load_file(folder / "bff.yaml", environ)
    config = assemble(root, views, shared, python, relays)
    relay_nodes = [node for node in relays.values() if isinstance(node, Node)]
    secrets = unsafe_secrets(root, relay_nodes) if isinstance(root, Node) else ()
    return config, [
        *_unused_calls(shared, views),
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
    root: LoadResult,
    views: Mapping[str, LoadResult],
    shared: Mapping[str, LoadResult],
    python: Mapping[str, PythonView] | None = None,
    relays: Mapping[str, LoadResult] | None = None,
) -> Config:
    """Make a Config from loaded files, or report their problems and those of failed ones.

    Args:
        root: `bff.yaml`.
        views: by name; those in Python as well.
        shared: the calls of `calls/`, by name.
        python: the functions of the views in Python, by name.
        relays: by name.

    Raises:
        ConfigError: with every problem of every file.
    """
    python, relays = python or {}, relays or {}
    loaded = (root, *views.values(), *shared.values(), *relays.values())
    problems = [
        problem for file in loaded if isinstance(file, ConfigError) for problem in file.problems
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
    declared_relays, wrong_relays = _read_all(relays, relay_reader(config.frontends))
    problems += wrong_views + wrong_relays
    config = replace(config, relays=declared_relays)
    if config.frontends:
        problems += cross_problems(config, declared)
        problems += refresh_problems(declared, broken=views.keys())
        problems += relay_problems(config, declared)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    referred = tuple(
        reference for file in loaded if isinstance(file, Node) for reference in file.referred
    )
    return replace(config, views=declared, referred=referred)


def _read_all(
    nodes: Mapping[str, LoadResult], read: Callable[[str, Node], Any]
) -> tuple[tuple[Any, ...], list[Problem]]:
    """The values that nodes declare, and the problems of those that are invalid."""
    found: list[Any] = []
    problems: list[Problem] = []
    for name, node in nodes.items():
        if isinstance(node, Node):
            try:
                found.append(read(name, node))
            except ConfigError as error:
                problems += error.problems
    return tuple(found), problems


def _unused_calls(
    calls: Mapping[str, LoadResult], views: Mapping[str, LoadResult]
) -> list[Problem]:
    used = {name for node in views.values() if isinstance(node, Node) for name in _used_calls(node)}
    return [
        Problem("unused-call", node.place, f"no view uses the call `{name}`", warning=True)
        for name, node in calls.items()
        if name not in used and isinstance(node, Node)
    ]


def _used_calls(view: Node) -> set[str]:
    """The names of the shared calls that a view uses, valid or not."""
    calls = view.value.get("calls") if isinstance(view.value, dict) else None
    only = view.value.get("call") if isinstance(view.value, dict) else None
    nodes = [*(calls.value.values() if calls and isinstance(calls.value, dict) else ()), only]
    uses = [call.value.get("use") for call in nodes if call and isinstance(call.value, dict)]
    return {str(use.plain) for use in uses if use}
