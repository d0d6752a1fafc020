"""A recording as others read it: by the HAR importer of Chromium's own developer tools."""

import json
from pathlib import Path
from typing import Any

import pytest

from bff.dev.recordings.har import written
from bff.dev.recordings.waterfall import together
from tests.dev.sample_exchanges import record_everything
from tests.e2e.browser import Browser

pytestmark = pytest.mark.large  # where its importer is may change with Chromium's version
# What its network panel does with a file that somebody drops there.
IMPORT = """
const har = await import("devtools://devtools/bundled/models/har/har.js");
const root = new har.HARFormat.HARRoot(JSON.parse(arguments[0]));
const requests = har.Importer.Importer.requestsFromHARLog(root.log);
return Promise.all(requests.map(async (each, number) => {
    const content = await each.requestContentData();
    return {
        page: root.log.entries[number].pageref ?? null, note: root.log.entries[number].comment,
        asked: `${each.requestMethod} ${each.url()}`, status: each.statusCode,
        begun: each.startTime, took: each.duration,
        cookies: each.responseCookies.map((cookie) => cookie.name()),
        posted: await each.requestFormData(), kind: each.mimeType,
        text: content.isTextContent ? content.text : null, size: each.resourceSize,
    };
}));
"""


@pytest.fixture
def imported(only_browser: Browser) -> Any:
    """What the importer makes of a document."""
    only_browser.open("devtools://devtools/bundled/devtools_app.html")
    yield lambda document: only_browser.run(IMPORT, document)
    only_browser.open("about:blank")


def test_the_network_panel_shows_the_calls_of_a_page_with_their_times(
    imported: Any, tmp_path: Path
) -> None:
    shown = imported(written(together(record_everything(tmp_path))))
    assert [each["page"] for each in shown] == 5 * ["web.home-1"] + ["web.home-2", None]
    user, order, kept, image, text, *_ = shown
    assert (user["asked"], user["note"]) == ("GET http://users.internal/users/7?a=1&a=2", "users")
    assert (user["status"], user["kind"], user["text"]) == (200, "application/json", '{"id": 7}')
    assert user["cookies"] == ["seen"]
    assert user["took"] == pytest.approx(0.027, abs=0.001)
    assert order["begun"] - user["begun"] == pytest.approx(0.03, abs=0.001)
    assert (order["asked"], order["posted"]) == ("POST http://orders.internal/orders", '{"of": 7}')
    assert kept["took"] == 0
    assert (image["kind"], image["text"], image["size"]) == ("image/png", None, 100_000)
    assert text["text"] == "words " * 20_000


def test_the_importer_refuses_what_is_no_har(imported: Any, tmp_path: Path) -> None:
    document = together(record_everything(tmp_path))
    del document["log"]["entries"][0]["startedDateTime"]
    with pytest.raises(AssertionError, match="Invalid date"):
        imported(json.dumps(document))
