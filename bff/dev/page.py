"""The page that people see first: a view's two answers side by side, and the calls behind them."""

from pathlib import Path
from typing import Final

from flask import Flask, Response

_FOLDER: Final = Path(__file__).parent / "page"
_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "connect")),
        "img-src 'self' data:",
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
    ]
)
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def page_routes(app: Flask) -> None:
    """Serve the page at `/`, and its files."""

    def file(name: str = "index.html") -> Response:
        content = (_FOLDER / name).read_bytes()
        response = Response(content, mimetype=_TYPES[Path(name).suffix])
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Cache-Control"] = "no-cache"
        return response

    app.add_url_rule("/", "page", file)
    for path in sorted(_FOLDER.iterdir()):
        if path.name != "index.html":
            app.add_url_rule(
                f"/{path.name}", f"page.{path.name}", file, defaults={"name": path.name}
            )
