"""A request that is not recorded, told so that it can be mended, and never as a partial answer."""

import sys
from typing import Final

import orjson
from flask import Flask, Response, g, request

from bff.dev.recordings.replay import Missed, ReplayExchange
from bff.upstream.sharing import BEGUN

_TITLE: Final = "A request of this view is not recorded"


def refuse_unmatched(app: Flask, replay: ReplayExchange) -> None:
    """Answer 501 in the place of whatever a view made of a request that is not recorded.

    The last to be added is the first that looks at an answer: so the log says 501, too. The parts
    of a batch have one id, and are refused together.
    """

    def check(response: Response) -> Response:
        if BEGUN in request.environ:
            return response
        missed = replay.missed(g.get("request_id", ""))
        if not missed:
            return response
        response.close()
        return _refusal(list({told(each): each for each in missed}.values()))

    app.after_request(check)


def _refusal(missed: list[Missed]) -> Response:
    sys.stderr.write("".join(f"{told(each)}\n" for each in missed))
    content = {"title": _TITLE, "status": 501, "missed": [_member(each) for each in missed]}
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    refusal = Response(body, 501, mimetype="application/problem+json")
    refusal.headers["Cache-Control"] = "no-store"
    return refusal


def told(missed: Missed) -> str:
    """What was asked, by which call of which file, and what comes nearest."""
    asked, origin = missed.request, missed.request.origin
    lines = [f"nothing is recorded for {_shown(missed)}"]
    if origin:
        by = f"view `{origin.view}` of `{origin.frontend}`, call `{origin.call}`"
        lines.append(f"  asked by  {origin.place}, {by}")
    if missed.file is None:
        lines.append(f"  there is no recording of `{asked.service}` at all")
    for near in missed.nearest:
        entry = near.entry
        lines.append(
            f"  nearest   {missed.file} log.entries[{entry.number}]: {entry.method} {entry.target}"
        )
        lines += [f"            {each}" for each in near.differences]
    lines.append(f"  to mend   {_remedy(missed)}")
    return "\n".join(lines)


def _shown(missed: Missed) -> str:
    """What was asked, without what is secret in it: it may be of a real client."""
    method, _, target = missed.shown.partition(" ")
    return f"{method} {missed.request.service}:{target}"


def _remedy(missed: Missed) -> str:
    loose = [
        each.split("asked ")[1].partition("=")[0].removeprefix("no ").partition(",")[0]
        for near in missed.nearest[:1]
        for each in near.differences
        if each.startswith("query: ")
    ]
    if loose and len(loose) == len(missed.nearest[0].differences):
        names = ", ".join(f'"{missed.request.service}:{name}"' for name in loose)
        return f"`bff record --mode new`; or, in rules.toml, [match] ignore_query = [{names}]"
    return "`bff record --mode new` records what is missing"


def _member(missed: Missed) -> dict[str, object]:
    origin = missed.request.origin
    return {
        "request": _shown(missed),
        "view": origin.view if origin else None,
        "call": origin.call if origin else None,
        "place": str(origin.place) if origin else None,
        "recording": str(missed.file) if missed.file else None,
        "nearest": [
            {
                "entry": f"log.entries[{near.entry.number}]",
                "request": f"{near.entry.method} {near.entry.target}",
                "differs": list(near.differences),
            }
            for near in missed.nearest
        ],
        "told": told(missed),
    }
