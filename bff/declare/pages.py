"""`pages` of a call: a list that a service gives page by page."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bff.declare.read import FLAG, Key, integer, one_of, source, table, text, wrong
from bff.declare.readers import FIELD
from bff.model.pages import Pages
from bff.model.problem import did_you_mean
from bff.model.source import Place
from bff.model.view import Call, Param

_MOST: Final = 1000
_TURNS: Final = ("cursor", "offset", "link", "follow")
_LISTS: Final = frozenset({"json", "xml"})
_QUERY_NAME: Final = text(r"[^\s&=#?]+", "the name of a query parameter")

PAGES_KEYS: Final = {
    "cursor": Key(source(), "Where in a reply the cursor of the next page is."),
    "as": Key(_QUERY_NAME, "The query parameter that carries the cursor to the service."),
    "offset": Key(_QUERY_NAME, "The query parameter that says how many items to leave out."),
    "size": Key(_QUERY_NAME, "The query parameter that says how many items a page has."),
    "link": Key(one_of("next"), "The next page is where the reply's `Link` header says."),
    "follow": Key(source(), "Where in a reply the link to the next page is."),
    "gather": Key(integer(2, _MOST), "So many pages at most are read, and are one list."),
    "param": Key(FIELD, "The view's own parameter by which a client turns the pages."),
    "partial": Key(FLAG, "Whether pages count that came before one that failed.", default=False),
}


def _pages(place: Place, values: dict[str, Any]) -> Pages:
    turns = [each for each in _TURNS if each in values]
    if len(turns) != 1:
        hint = "one of cursor, offset, link, follow: `pages: {cursor: meta.next, as: after, …}`"
        raise wrong(
            "key-conflict",
            place,
            f"pages are turned in one way, these in {len(turns) or 'none'}",
            hint,
        )
    turn = turns[0]
    if ("as" in values) != (turn == "cursor"):
        raise wrong(
            "key-conflict",
            place,
            "`as` goes with `cursor`: it carries it",
            "`cursor: meta.next, as: after`",
        )
    if "size" in values and turn != "offset":
        raise wrong(
            "key-conflict",
            place.of("offset", "size"),
            "only pages by `offset` are counted by their `size`",
        )
    if ("gather" in values) == ("param" in values):
        hint = (
            "`gather: 5` reads up to 5 pages; `param: cursor` gives one, and a cursor to the next"
        )
        raise wrong(
            "key-conflict", place, "pages are gathered, or turned by the client: one of them", hint
        )
    if values["partial"] and "gather" not in values:
        raise wrong(
            "key-conflict", place.of("partial"), "`partial` is about pages that are gathered"
        )
    return Pages(
        turn=turn,
        name=values.get("as") or values.get("offset", ""),
        next=values.get("cursor") or values.get("follow"),
        size=values.get("size", ""),
        gather=values.get("gather", 0),
        param=values.get("param", ""),
        partial=values["partial"],
    )


PAGES: Final = table(_pages, PAGES_KEYS, "pages")


def check_pages(call: Call, values: Mapping[str, Any]) -> None:
    """Refuse what a call that is read in pages cannot be.

    Args:
        values: what is declared of the call.

    Raises:
        ConfigError: it is read otherwise, or its own values are no lists.
    """
    pages, place = call.pages, call.place
    if pages is None:
        if values["over"] != "error" and not call.each:
            raise wrong(
                "key-conflict",
                place.of("over", "each", "pages"),
                "`over` is about `each` or `pages`, and there is neither",
            )
        return
    for name in ("each", "batch"):
        if name in values:
            hint = "gather the pages first: `each` over this call's value in another one"
            raise wrong(
                "key-conflict",
                place.of(name),
                f"a call with `pages` is one list: it has no `{name}`",
                hint,
            )
    if call.method != "GET":
        raise wrong("key-conflict", place, f"pages are read, and this is a {call.method}", "`get:`")
    if call.decode not in _LISTS:
        raise wrong(
            "key-conflict",
            place.of("decode"),
            f"pages are lists, and `decode: {call.decode}` gives none",
        )
    if pages.param and values["over"] != "error":
        raise wrong(
            "key-conflict",
            place.of("over"),
            "`over` is about pages that are gathered",
            "the client has a cursor",
        )
    _check_query(call, pages)
    _check_values(call, pages)


def _check_query(call: Call, pages: Pages) -> None:
    names = [name for name, _ in call.query]
    if pages.name in names:
        hint = "`pages` fills it in; the first page is asked for without it"
        raise wrong(
            "taken-name", call.place.of("query"), f"the query has `{pages.name}` already", hint
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
    """Values that stand for a page are lists of items, a fallback is what the whole call gives."""
    if call.keeps:
        raise wrong(
            "key-conflict",
            call.place.of("status"),
            "a page is a list of items, and `reply` is none",
        )
    for status, value in call.statuses.items():
        if not isinstance(value, list):
            hint = f"`status: {{{status}: []}}`"
            raise wrong(
                "key-conflict",
                call.place.of("status"),
                f"what stands for the status {status} is no page",
                hint,
            )
    fallback = call.fallback
    if call.rung != "fallback" or fallback is None:
        return
    if pages.gather and not isinstance(fallback, list):
        raise wrong(
            "key-conflict",
            call.place.of("fallback"),
            "the pages are one list, and the fallback is none",
            "`fallback: []`",
        )
    if pages.param and not (isinstance(fallback, dict) and {"items", "next"} == fallback.keys()):
        hint = "`fallback: {items: [], next: null}`"
        raise wrong(
            "key-conflict",
            call.place.of("fallback"),
            "the fallback is no page: a page has `items` and `next`",
            hint,
        )


def check_params_of_pages(
    calls: Iterable[Call], params: Iterable[Param], method: str, *, sparse: bool
) -> None:
    """Refuse a cursor's parameter that something else has, or that no client could send.

    Raises:
        ConfigError: see above.
    """
    taken = {param.name: "a parameter of the view" for param in params}
    taken |= {"fields": "that of a `sparse` view"} if sparse else {}
    for call in calls:
        name = call.pages.param if call.pages else ""
        if not name:
            continue
        if method != "get":
            raise wrong(
                "key-conflict", call.place, f"pages are turned by a get, and the view is a {method}"
            )
        if name in taken:
            hint = "a cursor needs no declaration, and one of its own for each list"
            raise wrong("taken-name", call.place, f"`{name}` is {taken[name]} already", hint)
        taken[name] = f"the cursor of `{call.name}`"
