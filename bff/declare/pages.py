"""Reader of `pages`, the pagination of a list that a service returns, and its checks."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bff.declare.read import FLAG, Key, integer, one_of, source, table, text, wrong
from bff.declare.readers import FIELD
from bff.model.pages import Pages
from bff.model.problem import did_you_mean
from bff.model.source import Place
from bff.model.view import Call, Param

_MOST: Final = 1000
_KINDS: Final = ("cursor", "offset", "link", "follow")
_LISTS: Final = frozenset({"json", "xml"})
_QUERY_NAME: Final = text(r"[^\s&=#?]+", "the name of a query parameter")

PAGES_KEYS: Final = {
    "cursor": Key(source(), "Expression for the cursor of the next page, in a reply."),
    "as": Key(_QUERY_NAME, "The query parameter that carries the cursor to the service."),
    "offset": Key(_QUERY_NAME, "The query parameter for the number of items to skip."),
    "size": Key(_QUERY_NAME, "The query parameter for the number of items of a page."),
    "link": Key(
        one_of("next"), "The next page is that of the `Link` header of the reply (RFC 8288)."
    ),
    "follow": Key(source(), "Expression for the link to the next page, in a reply."),
    "gather": Key(
        integer(2, _MOST), "Maximum number of pages that are fetched and joined to one list."
    ),
    "param": Key(FIELD, "The query parameter of the view by which clients page through the list."),
    "partial": Key(FLAG, "If a page fails, the pages before it are used.", default=False),
}


def _pages(place: Place, values: dict[str, Any]) -> Pages:
    kinds = [kind for kind in _KINDS if kind in values]
    if len(kinds) != 1:
        hint = "one of cursor, offset, link, follow: `pages: {cursor: meta.next, as: after, …}`"
        raise wrong(
            "key-conflict",
            place,
            f"`pages` needs one kind of pagination, this has {len(kinds) or 'none'}",
            hint,
        )
    kind = kinds[0]
    if ("as" in values) != (kind == "cursor"):
        raise wrong(
            "key-conflict",
            place,
            "`cursor` and `as` need each other: `as` is the parameter that carries the cursor",
            "`cursor: meta.next, as: after`",
        )
    if "size" in values and kind != "offset":
        raise wrong(
            "key-conflict",
            place.of("offset", "size"),
            "`size` is for pagination by `offset`",
        )
    if ("gather" in values) == ("param" in values):
        hint = (
            "`gather: 5` fetches up to 5 pages; `param: cursor` gives one page and its next cursor"
        )
        raise wrong("key-conflict", place, "`pages` needs either `gather` or `param`", hint)
    if values["partial"] and "gather" not in values:
        raise wrong("key-conflict", place.of("partial"), "`partial` needs `gather`")
    return Pages(
        turn=kind,
        name=values.get("as") or values.get("offset", ""),
        next=values.get("cursor") or values.get("follow"),
        size=values.get("size", ""),
        gather=values.get("gather", 0),
        param=values.get("param", ""),
        partial=values["partial"],
    )


PAGES: Final = table(_pages, PAGES_KEYS, "pages")


def check_pages(call: Call, values: Mapping[str, Any]) -> None:
    """Reject keys that exclude `pages`, and values that are not lists.

    Args:
        values: the keys of the call.

    Raises:
        ConfigError: for the first of them.
    """
    pages, place = call.pages, call.place
    if pages is None:
        if values["over"] != "error" and not call.each:
            raise wrong(
                "key-conflict",
                place.of("over", "each", "pages"),
                "`over` needs `each` or `pages`",
            )
        return
    for name in ("each", "batch"):
        if name in values:
            hint = (
                "gather the pages here, and use `each` in another call, over the value of this one"
            )
            raise wrong(
                "key-conflict",
                place.of(name),
                f"a call with `pages` cannot have `{name}`",
                hint,
            )
    if call.method != "GET":
        raise wrong(
            "key-conflict", place, f"`pages` is for `get`, and this is a {call.method}", "`get:`"
        )
    if call.decode not in _LISTS:
        raise wrong(
            "key-conflict",
            place.of("decode"),
            f"`pages` needs lists, and `decode: {call.decode}` has none",
        )
    if pages.param and values["over"] != "error":
        raise wrong(
            "key-conflict",
            place.of("over"),
            "`over` needs `gather`",
            "with `param`, a client gets the rest by the cursor",
        )
    _check_query(call, pages)
    _check_values(call, pages)


def _check_query(call: Call, pages: Pages) -> None:
    names = [name for name, _ in call.query]
    if pages.name in names:
        hint = "`pages` sets it; the first page is requested without it"
        raise wrong(
            "taken-name",
            call.place.of("query"),
            f"the query already has `{pages.name}`, which `pages` sets",
            hint,
        )
    if pages.size and pages.size not in names:
        hint = did_you_mean(pages.size, names) or f"`query: {{{pages.size}: 50}}`"
        raise wrong(
            "key-conflict",
            call.place.of("size"),
            f"`size` names `{pages.size}`, which the query does not have",
            hint,
        )


def _check_values(call: Call, pages: Pages) -> None:
    """Reject values by `status` that are not pages, and a fallback of the wrong form.

    Raises:
        ConfigError: for the first of them.
    """
    if call.keeps:
        raise wrong(
            "key-conflict",
            call.place.of("status"),
            "the value of a page is a list, and `reply` is not a list",
        )
    for status, value in call.statuses.items():
        if not isinstance(value, list):
            hint = f"`status: {{{status}: []}}`"
            raise wrong(
                "key-conflict",
                call.place.of("status"),
                f"the value for status {status} is not a list, as a page is",
                hint,
            )
    fallback = call.fallback
    if call.rung != "fallback" or fallback is None:
        return
    if pages.gather and not isinstance(fallback, list):
        raise wrong(
            "key-conflict",
            call.place.of("fallback"),
            "the value of the call is a list, and its fallback is not a list",
            "`fallback: []`",
        )
    if pages.param and not (isinstance(fallback, dict) and {"items", "next"} == fallback.keys()):
        hint = "`fallback: {items: [], next: null}`"
        raise wrong(
            "key-conflict",
            call.place.of("fallback"),
            "the fallback is not a page: a page has `items` and `next`",
            hint,
        )


def check_params_of_pages(
    calls: Iterable[Call], params: Iterable[Param], method: str, *, sparse: bool
) -> None:
    """Reject a cursor parameter whose name is taken, or in a view that is not a `get`.

    Args:
        method: that of the view, in lower case.
        sparse: True if the view has the parameter `fields`.

    Raises:
        ConfigError: for the first of them.
    """
    taken = {param.name: "a parameter of the view" for param in params}
    taken |= {"fields": "that of a `sparse` view"} if sparse else {}
    for call in calls:
        name = call.pages.param if call.pages else ""
        if not name:
            continue
        if method != "get":
            raise wrong(
                "key-conflict",
                call.place,
                f"`param` of `pages` is for a `get`, and the view is a `{method}`",
            )
        if name in taken:
            hint = "a cursor is not declared in `params`, and each list has its own"
            raise wrong("taken-name", call.place, f"`{name}` is already {taken[name]}", hint)
        taken[name] = f"the cursor of `{call.name}`"
