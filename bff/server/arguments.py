"""GUNICORN_CMD_ARGS: settings of gunicorn that operators may set, and those that are rejected."""

import shlex
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from gunicorn.config import KNOWN_SETTINGS, Config

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place

_VARIABLE: Final = "GUNICORN_CMD_ARGS"
_PLACE: Final = Place("environment")

_OWN: Final = "it has a variable of its own"
_TLS: Final = (
    "TLS is terminated by the reverse proxy",
    "set the proxy's certificate: BFF_NGINX_TLS",
)
_HTTP2: Final = ("HTTP/2 is terminated by the reverse proxy", "set BFF_NGINX_TLS, which enables it")
_PARSING: Final = ("it makes request smuggling possible", "send requests that conform to RFC 9112")
_APP: Final = ("another app would be served", "use `bff serve`, or gunicorn's own command")
_ASGI: Final = ("it has an effect on ASGI workers only", "remove it")
_DIRTY: Final = ("there are no processes besides the workers", "remove it")
_ACCESS: Final = ("the access log of gunicorn has queries with secrets", "use the log of the app")
_LOGGING: Final = ("it would log requests with their queries", "set --log-level or --log-syslog")
_RELOADING: Final = ("it is for development", "use `bff dev`, or send SIGHUP")
_USER: Final = ("workers could not write folders of the master", "start `bff serve` as that user")
_DAEMON: Final = ("`bff serve` stays in the foreground", "run it by a supervisor such as systemd")
_CONTROL: Final = ("the control socket is off", "send signals: SIGHUP, SIGTERM")
_PROXIES: Final = ("only the declared proxies are trusted", "set FORWARDED_ALLOW_IPS")
_SECTIONS: Final = {
    "SSL": _TLS,
    "HTTP/2": _HTTP2,
    "Dirty Arbiters": _DIRTY,
    "Dirty Arbiter Hooks": _DIRTY,
}

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    **{
        setting.name: _SECTIONS[setting.section]
        for setting in KNOWN_SETTINGS
        if setting.section in _SECTIONS
    },
    # set by variables of bff
    "bind": (_OWN, "set BFF_BIND and BFF_MANAGEMENT_BIND"),
    "workers": (_OWN, "set BFF_WORKERS"),
    "threads": (_OWN, "set BFF_THREADS"),
    "max_requests": (_OWN, "set BFF_MAX_REQUESTS"),
    "forwarded_allow_ips": _PROXIES,
    "chdir": ("relative paths would change", "start `bff serve` there, or set BFF_CONFIG"),
    "pythonpath": ("the configuration is loaded before", "set PYTHONPATH"),
    "raw_env": ("the settings are read before", "set the variable in the environment itself"),
    # required by the app
    "config": ("settings files of gunicorn are not read", f"put its settings into {_VARIABLE}"),
    "wsgi_app": _APP,
    "paste": _APP,
    "raw_paste_global_conf": _APP,
    "preload_app": ("threads and sockets must start after the fork", "remove it"),
    "worker_class": ("bff has its own worker class", "remove it"),
    "reuse_port": ("a worker that ends would drop pending connections", "remove it"),
    "protocol": ("the worker supports HTTP only", "configure the proxy for HTTP"),
    "uwsgi_allow_ips": ("the worker supports HTTP only", "configure the proxy for HTTP"),
    "http_parser": ("only the default parser is tested", "remove it"),
    "root_path": _ASGI,
    "asgi_loop": _ASGI,
    "asgi_lifespan": _ASGI,
    "asgi_disconnect_grace_period": _ASGI,
    "websocket_max_message_size": _ASGI,
    "user": _USER,
    "group": _USER,
    "initgroups": _USER,
    "daemon": _DAEMON,
    "enable_stdio_inheritance": _DAEMON,
    "control_socket": _CONTROL,
    "control_socket_mode": _CONTROL,
    # would accept malformed requests, or forged client addresses
    "proxy_protocol": _PROXIES,
    "proxy_allow_ips": _PROXIES,
    "permit_obsolete_folding": _PARSING,
    "strip_header_spaces": _PARSING,
    "permit_unconventional_http_method": _PARSING,
    "permit_unconventional_http_version": _PARSING,
    "casefold_http_method": _PARSING,
    "forwarder_headers": _PARSING,
    "header_map": _PARSING,
    # would write secrets of requests, or are for development
    "accesslog": _ACCESS,
    "access_log_format": _ACCESS,
    "logger_class": _LOGGING,
    "logconfig": _LOGGING,
    "logconfig_json": _LOGGING,
    "spew": ("it prints the data of requests", "remove it"),
    "reload": _RELOADING,
    "reload_engine": _RELOADING,
    "reload_extra_files": _RELOADING,
    "check_config": ("the settings are checked at each start", "use `bff check`"),
    "print_config": ("gunicorn logs its settings", "set --log-level debug"),
}


def read_arguments(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of gunicorn in GUNICORN_CMD_ARGS, by name.

    Raises:
        ConfigError: it cannot be parsed, or has settings that are rejected, each with its name.
    """
    text = environ.get(_VARIABLE, "")
    if not text.strip():
        return {}
    config = Config(prog=_VARIABLE)
    parser = config.parser()
    parser.error = _not_parsed  # argparse would print all options and end the process
    try:
        words = shlex.split(text)
    except ValueError as error:
        _not_parsed(str(error))
    parsed = vars(parser.parse_args(words))
    given = {name: value for name, value in parsed.items() if value is not None and value != []}
    if "args" in given:
        given["wsgi_app"] = given.pop("args")
    refused = [_refusal(name) for name in given if name in REFUSED]
    if refused:
        raise ConfigError(refused)
    apply_values(config, given, _VARIABLE)
    return given


def apply_values(config: Config, values: Mapping[str, Any], source: str) -> None:
    """Set values of gunicorn's settings.

    Args:
        values: by the name of the setting.
        source: where they come from, in messages.

    Raises:
        ConfigError: gunicorn rejects a value.
    """
    for name, value in values.items():
        try:
            config.set(name, value)
        except (TypeError, ValueError) as error:
            message = f"{source}: gunicorn rejects `{name}`: {error}"
            raise ConfigError([Problem("setting", _PLACE, message)]) from None


def _refusal(name: str) -> Problem:
    reason, instead = REFUSED[name]
    message = f"{_VARIABLE} cannot set `{name}`: {reason}"
    return Problem("setting", _PLACE, message, instead)


def _not_parsed(message: str) -> NoReturn:
    hint = "see https://gunicorn.org/reference/settings/ for its options"
    raise ConfigError([Problem("setting", _PLACE, f"{_VARIABLE}: {message}", hint)])
