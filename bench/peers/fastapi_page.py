"""The page by hand: FastAPI and httpx.AsyncClient."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse

UPSTREAM = os.environ["BENCH_UPSTREAM"]
CONNECTIONS = 8  # of 4 to 128 what it is fastest with here


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the life of the process."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=5.0, limits=limits) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


async def fetch(path: str, **query: Any) -> Any:
    """The JSON of one call; raises where it is none, and the page is a 500."""
    response = await app.state.client.get(path, params=query or None)
    response.raise_for_status()
    return response.json()


@app.get("/web/page/{person}")
async def page(person: int, limit: int = 5) -> JSONResponse:
    """Four calls at once, and the parts that the page needs."""
    user, inbox, orders, recommended = await asyncio.gather(
        fetch(f"/users/{person}"),
        fetch(f"/inbox/{person}/count"),
        fetch("/orders", customer=person, limit=limit),
        fetch(f"/for/{person}", limit=12),
    )
    return JSONResponse(
        {
            "user": {"name": user["name"], "plan": user["plan"], "avatar": user["avatar"]},
            "unread": inbox["unread"],
            "orders": [
                {
                    "id": order["id"],
                    "status": order["status"],
                    "total": order["total_cents"],
                    "items": len(order["lines"]),
                }
                for order in orders["items"]
            ],
            "more": [
                {
                    "id": product["id"],
                    "title": product["title"],
                    "price": product["price_cents"],
                    "image": product["image"],
                }
                for product in recommended["items"]
            ],
        }
    )
