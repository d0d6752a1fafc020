"""The page by hand: Flask, one httpx.Client for all, a ThreadPoolExecutor."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from flask import Flask, Response, jsonify, request

UPSTREAM = os.environ["BENCH_UPSTREAM"]
SIZE = 8  # threads and connections; of 4 to 128 what it is fastest with here

app = Flask(__name__, static_folder=None)
client = httpx.Client(
    base_url=UPSTREAM,
    timeout=5.0,
    limits=httpx.Limits(max_connections=SIZE, max_keepalive_connections=SIZE),
)
pool = ThreadPoolExecutor(SIZE)


def fetch(path: str, **query: Any) -> Any:
    """The JSON of one call; raises where it is none, and the page is a 500."""
    response = client.get(path, params=query or None)
    response.raise_for_status()
    return response.json()


@app.get("/web/page/<int:person>")
def page(person: int) -> Response:
    """Four calls at once, and the parts that the page needs."""
    limit = request.args.get("limit", 5, type=int)
    calls = [
        pool.submit(fetch, f"/users/{person}"),
        pool.submit(fetch, f"/inbox/{person}/count"),
        pool.submit(fetch, "/orders", customer=person, limit=limit),
        pool.submit(fetch, f"/for/{person}", limit=12),
    ]
    user, inbox, orders, recommended = (call.result(timeout=10) for call in calls)
    return jsonify(
        user={"name": user["name"], "plan": user["plan"], "avatar": user["avatar"]},
        unread=inbox["unread"],
        orders=[
            {
                "id": order["id"],
                "status": order["status"],
                "total": order["total_cents"],
                "items": len(order["lines"]),
            }
            for order in orders["items"]
        ],
        more=[
            {
                "id": product["id"],
                "title": product["title"],
                "price": product["price_cents"],
                "image": product["image"],
            }
            for product in recommended["items"]
        ],
    )
