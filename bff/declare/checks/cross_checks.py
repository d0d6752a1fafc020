"""Checks between views and frontends: unknown names, access, routes that clash, `refresh`."""

from collections.abc import Collection, Container, Iterator

from bff.declare.route import path_variables
from bff.model.config import Config
from bff.model.frontend import Frontend
from bff.model.problem import Problem, did_you_mean
from bff.model.view import JSON, View


def cross_problems(config: Config, views: Collection[View]) -> list[Problem]:
    """Problems between views and frontends."""
    problems: list[Problem] = []
    routes: dict[tuple[str, str], View] = {}
    for view in views:
        for frontend in (*view.frontends, *view.shapes):
            place = view.place.of("frontends" if frontend in view.frontends else "shapes")
            if frontend not in config.frontends:
                hint = did_you_mean(frontend, config.frontends)
                problems.append(
                    Problem("unknown-frontend", place, f"no frontend `{frontend}`", hint)
                )
            elif view.access == "signed_in" and not config.frontends[frontend].access:
                message = f"`{frontend}` has no sign-in, and the view is for signed-in users"
                hint = f"see `access` of {config.frontends[frontend].place}"
                problems.append(
                    Problem("access-impossible", view.place.of("access"), message, hint)
                )
            elif view.require and not _authenticates(view, config.frontends[frontend]):
                message = f"`require` at `{frontend}`, where callers are not authenticated"
                hint = "make the view `access: signed_in`, and give the frontend a way to sign in"
                problems.append(
                    Problem("access-impossible", view.place.of("require"), message, hint)
                )
        for frontend in (view.shapes.keys() - set(view.frontends)) & config.frontends.keys():
            message = f"a shape for `{frontend}`, which does not serve this view"
            problems.append(
                Problem("key-conflict", view.place.of("shapes"), message, "see `frontends`")
            )
        pattern = f"{view.method} {view.route}"
        for variable in path_variables(view.path):
            pattern = pattern.replace(f"{{{variable}}}", "{}")
        for frontend in view.frontends:
            other = routes.setdefault((frontend, pattern), view)
            if other is not view:
                message = f"the view `{other.name}` already has the route /{frontend}{view.route}"
                problems.append(
                    Problem(
                        "route-clash",
                        view.place.of(view.method.lower()),
                        message,
                        f"see {other.place}",
                    )
                )
    return problems


def _authenticates(view: View, frontend: Frontend) -> bool:
    return bool(frontend.access) and view.access_at(frontend) != "public"


def refresh_problems(views: Collection[View], broken: Container[str]) -> Iterator[Problem]:
    """Problems of `refresh`, and of routes that clash with that of batch requests.

    Args:
        broken: names of views with errors, which are reported at their own place.
    """
    known = {view.name: view for view in views}
    for view in views:
        if view.route == "/_batch":
            yield Problem(
                "route-clash",
                view.place.of("get", "post"),
                "the route `/_batch` is reserved for batch requests",
            )
        own = {param.name for param in view.params}
        for name in view.refresh:
            other = known.get(name)
            if other is None and name in broken:
                continue
            if other is None:
                yield Problem(
                    "unknown-view",
                    view.place.of("refresh"),
                    f"no view `{name}`",
                    did_you_mean(name, known),
                )
                continue
            yield from _not_refreshable(view, other)
            for frontend in sorted(set(view.frontends) - set(other.frontends)):
                yield Problem(
                    "refresh",
                    view.place.of("refresh"),
                    f"`{frontend}` does not serve the view `{name}`",
                )
            for param in other.params:
                if param.required and param.default is None and param.name not in own:
                    message = f"`{name}` needs `{param.name}`, which this view does not have"
                    yield Problem("refresh", view.place.of("refresh"), message)


def _not_refreshable(view: View, other: View) -> Iterator[Problem]:
    """Reasons why a view cannot be refreshed by another one."""
    name = other.name
    if other.answer_type != JSON or other.location:
        message = f"`{name}` has no body in JSON, or leads elsewhere: it cannot come along"
        yield Problem("refresh", view.place.of("refresh"), message)
    if other.stream:
        yield Problem(
            "refresh", view.place.of("refresh"), f"`{name}` is a stream: it cannot be refreshed"
        )
    if other.method != "GET":
        yield Problem(
            "refresh",
            view.place.of("refresh"),
            f"`{name}` is a {other.method}: only a `get` can be refreshed",
        )
    if any(call.pages and call.pages.param for call in other.calls):
        message = f"`{name}` has pagination by the client: it cannot be refreshed"
        yield Problem(
            "refresh",
            view.place.of("refresh"),
            message,
            "gather its pages: `pages: {…, gather: 5}`",
        )
