"""Requests without a recorded reply: the view is answered with 501 and a hint, never in part."""

import sys
from typing import Final

import orjson
from flask import Flask, Response, g, request

from bff.dev.recordings.replay import ReplayExchange, UnmatchedRequest
from bff.upstream.batch_exchange import BATCH_STARTED

_TITLE: Final = "A request of this view is not recorded"


def refuse_unmatched(app: Flask, replay: ReplayExchange) -> None:
    """Replace the answer of a view by 501 if one of its requests is not recorded.

    Flask runs the last `after_request` function first, so that the access log has the 501 too. The
    parts of a batch share a request id, and are refused together.
    """

    def check(response: Response) -> Response:
        if BATCH_STARTED in request.environ:
            return response
        missed = replay.missed(g.get("request_id", ""))
        if not missed:
            return response
        response.close()
        return _refusal(list({unmatched_text(each): each for each in missed}.values()))

    app.after_request(check)


def _refusal(missed: list[UnmatchedRequest]) -> Response:
    sys.stderr.write("".join(f"{unmatched_text(each)}\n" for each in missed))
    content = {"title": _TITLE, "status": 501, "missed": [_member(each) for each in missed]}
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    refusal = Response(body, 501, mimetype="application/problem+json")
    refusal.headers["Cache-Control"] = "no-store"
    return refusal


def unmatched_text(missed: UnmatchedRequest) -> str:
    """The request, the call and file that sent it, and the nearest entries."""
    asked, origin = missed.request, missed.request.origin
    lines = [f"no recorded reply for {_shown(missed)}"]
    if origin:
        by = f"view `{origin.view}` of `{origin.frontend}`, call `{origin.call}`"
        lines.append(f"  sent by   {origin.place}, {by}")
    if missed.file is None:
        lines.append(f"  there is no recording of `{asked.service}`")
    for candidate in missed.nearest:
        entry = candidate.entry
        lines.append(
            f"  nearest   {missed.file} log.entries[{entry.number}]: {entry.method} {entry.target}"
        )
        lines += [f"            {each}" for each in candidate.differences]
    lines.append(f"  to fix     {_remedy(missed)}")
    return "\n".join(lines)


def _shown(missed: UnmatchedRequest) -> str:
    """The request with its service; secrets are masked, as it may be that of a real client."""
    method, _, target = missed.shown.partition(" ")
    return f"{method} {missed.request.service}:{target}"


def _remedy(missed: UnmatchedRequest) -> str:
    loose = [
        each.split("asked ")[1].partition("=")[0].removeprefix("no ").partition(",")[0]
        for candidate in missed.nearest[:1]
        for each in candidate.differences
        if each.startswith("query: ")
    ]
    if loose and len(loose) == len(missed.nearest[0].differences):
        names = ", ".join(f'"{missed.request.service}:{name}"' for name in loose)
        return f"`bff record --mode new`; or, in rules.toml, [match] ignore_query = [{names}]"
    return "`bff record --mode new` records what is missing"


def _member(missed: UnmatchedRequest) -> dict[str, object]:
    origin = missed.request.origin
    return {
        "request": _shown(missed),
        "view": origin.view if origin else None,
        "call": origin.call if origin else None,
        "place": str(origin.place) if origin else None,
        "recording": str(missed.file) if missed.file else None,
        "nearest": [
            {
                "entry": f"log.entries[{candidate.entry.number}]",
                "request": f"{candidate.entry.method} {candidate.entry.target}",
                "differs": list(candidate.differences),
            }
            for candidate in missed.nearest
        ],
        "told": unmatched_text(missed),
    }
