"""`bff routes`: the routes of a configuration, and nginx configuration made of them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bff.cli.configured import checked, config_option
from bff.cli.console import console

if TYPE_CHECKING:
    from bff.declare.check import CheckedConfig

# `^~`: nginx evaluates no regular expression location below this prefix.
_APP = """\
location = {path} {{
    include app.proxy; # without it nginx redirects to the location below
}}
location ^~ {path}/ {{
    include app.proxy;
}}"""
# Only listed headers of the client are passed on: no cookies, tokens or X-Forwarded headers. The
# value of Upgrade is fixed: by `h2c` a client could reach any path of a service (h2c smuggling).
_WEBSOCKET = """\
location = {path} {{
    limit_req zone=requests burst=${{BFF_NGINX_BURST}} nodelay;
    limit_conn connections ${{BFF_NGINX_CONNECTIONS}};
    auth_request {check};
    auth_request_set $bff_subject $upstream_http_bff_subject;
    proxy_pass {to};
    proxy_http_version 1.1;
    proxy_pass_request_headers off;
    proxy_pass_request_body off;
    proxy_set_header Connection upgrade;
    proxy_set_header Upgrade $bff_upgrade;
    proxy_set_header Content-Length "";
{passed}
    proxy_set_header Host $proxy_host;
    proxy_set_header X-Request-Id $request_id;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $bff_scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header BFF-Subject $bff_subject;
    proxy_read_timeout {silence}s;
}}"""
_WEBSOCKET_HEADERS = (  # RFC 6455, section 4.1
    "origin",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "accept-language",
    "user-agent",
)
_NAME = re.compile(
    r"(?!x-forwarded-|x-request-id$|bff-)[a-z0-9-]+"
)  # nginx drops headers with other characters


@click.command(name="routes")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--edge", is_flag=True, help="Print maps for nginx: cacheable views, and CORS origins."
)
@click.option("--locations", is_flag=True, help="Print locations for nginx: the paths of the app.")
def command(config: Path, *, as_json: bool, edge: bool, locations: bool) -> None:
    """List the routes of a configuration.

    With --edge, maps for nginx: which views it may cache, namely those that are cached and the same
    for all users, and which origins may read its own error responses (CORS). With --locations, the
    locations of nginx that are not those of the single-page app: one for each frontend, and one for
    each relay of WebSockets, which nginx proxies and this app authorizes (`auth_request`).

    \b
    Examples:
      bff routes
      bff routes --json
      bff routes --edge > nginx/templates/edge.conf.template
      bff routes --locations > nginx/templates/app.locations.template
    """  # noqa: D301 - \b is click's: keep these lines as they are
    found = checked(config)
    if edge:
        _print_edge(found)
        return
    if locations:
        _print_locations(found)
        return
    rows = [
        {
            "method": plan.view.method,
            "path": f"/{frontend}{plan.view.route}",
            "view": plan.view.name,
            "access": plan.view.access_at(found.config.frontends[frontend]),
            "calls": list(plan.nodes),
            "file": str(plan.view.place),
        }
        for plans in found.plans.values()
        for frontend, plan in plans.items()
    ]
    rows += [
        {
            "method": method,
            "path": f"/{frontend}{relay.path}",
            "view": f"{relay.name} (relay)",
            "access": relay.access_at(found.config.frontends[frontend]),
            "calls": [relay.service],
            "file": str(relay.place),
        }
        for relay in found.config.relays
        for frontend in relay.frontends
        for method in relay.methods
    ]
    rows.sort(key=lambda row: str(row["path"]))
    if as_json:
        import orjson

        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    from rich.table import Table

    table = Table("route", "view", "access", "calls", box=None, header_style="bold")
    for row in rows:
        calls = ", ".join(row["calls"])
        table.add_row(f"{row['method']} {row['path']}", str(row["view"]), str(row["access"]), calls)
    console().print(table)


def _print_edge(found: "CheckedConfig") -> None:
    """Print a map for nginx, from the path of a request to its cache zone."""
    from bff.web.views.cache_headers import clients_may_store, is_public

    click.echo("# The views that nginx may cache: written by `bff routes --edge`.")
    click.echo("map $path_only $bff_edge {\n    default off;")
    for plans in found.plans.values():
        for frontend, plan in sorted(plans.items()):
            access = plan.view.access_at(found.config.frontends[frontend])
            if plan.view.method == "GET" and is_public(plan, access) and clients_may_store(plan):
                segments = f"/{frontend}{plan.view.route}".split("/")
                parts = ["[^/]+" if part.startswith("{") else re.escape(part) for part in segments]
                click.echo(f'    "~^{"/".join(parts)}$" edge;')
    click.echo("}")
    _print_sharing(found)


def _print_sharing(found: "CheckedConfig") -> None:
    """Print maps for nginx: the origins that may read an error response of nginx (CORS).

    They use regular expressions, since nginx compares plain texts case-insensitively.
    """
    from bff.web.origins import cors_policies

    config = found.config
    shared = sorted(cors_policies(config.frontends, found.plans, config.relays).items())
    click.echo("# The origins whose pages may read error responses of nginx (CORS).")
    click.echo('map $request_uri $bff_frontend {\n    default "";')
    for name, _ in shared:
        click.echo(f'    "~^/{name}/" {name};')
    click.echo('}\nmap "$bff_frontend $http_origin" $bff_allow_origin {\n    default "";')
    for name, frontend in shared:
        for origin in sorted(frontend.origins):
            click.echo(f'    "~^{name} {re.escape(origin)}$" $http_origin;')
    click.echo('}\nmap "$bff_frontend $bff_allow_origin" $bff_allow_credentials {')
    click.echo('    default "";')
    for name, frontend in shared:
        if frontend.credentials:
            click.echo(f'    "~^{name} ." true;')
    click.echo("}")


def _print_locations(found: "CheckedConfig") -> None:
    """Print locations for nginx: those of the app, and those of WebSockets that it authorizes."""
    from bff.web.relay.websocket import PREFIX

    click.echo("# The paths of the app, not of the single-page app: `bff routes --locations`.")
    for path in ["/auth", *(f"/{name}" for name in sorted(found.config.frontends))]:
        click.echo(_APP.format(path=path))
    for relay in found.config.relays:
        for frontend in relay.frontends if relay.stream == "websocket" else ():
            url = found.config.services[relay.service].url
            more = [header for header in sorted(relay.forward) if _NAME.fullmatch(header)]
            names = dict.fromkeys([*_WEBSOCKET_HEADERS, *more])
            click.echo(
                _WEBSOCKET.format(
                    path=f"/{frontend}{relay.path}",
                    check=f"{PREFIX}/{frontend}/{relay.name}",
                    to=f"{url}{relay.target}",
                    silence=int(relay.max_age),
                    passed="\n".join(map(_passed, names)),
                )
            )


def _passed(name: str) -> str:
    """The directive that passes a header of the client on."""
    return f"    proxy_set_header {name.title()} $http_{name.replace('-', '_')};"
