"""Recorded carts of two users and the changes they make; live.py answers everything after that."""

from typing import Any

from bff.dev.shop.har import HarBuilder

Json = dict[str, Any]

# Carts that are not empty: user -> product -> quantity.
CARTS: dict[str, dict[str, int]] = {
    "ada": {"p-100126": 1, "p-100041": 2},
    "grace": {"p-100126": 1},
}
_WHERE = {"name": "Ada Lovelace", "street": "12 Mill Lane", "city": "London"}
_FREE_FROM, _SHIPPING = 5000, 490  # cents


def record_carts(products: dict[str, Json], users: dict[str, Json], to: HarBuilder) -> None:
    """Record that ada changes a cart with items, and that grace fills an empty one and orders."""
    ada = _cart("ada", products)
    to.get("/carts/ada", body=ada)
    for product_id, quantity in CARTS["ada"].items():
        line = {"product_id": product_id, "quantity": quantity}
        to.write("POST", "/carts/ada/items", {**line, "quantity": 1}, body=line, status=201)
        item = f"/carts/ada/items/{product_id}"
        to.write("PUT", item, {"quantity": quantity}, body=line, status=200)
        to.write("DELETE", item, None, body=None, status=204)
    _order("ada", ada, "o-6001", to)

    empty = {"items": [], "shipping_cents": 0, "total_cents": 0}
    grace = _cart("grace", products)
    for each in (empty, grace, empty):
        to.again("/carts/grace", body=each)
    line = {"product_id": "p-100126", "quantity": 1}
    to.write("POST", "/carts/grace/items", line, body=line, status=201)
    _order("grace", grace, "o-6002", to)
    for sub in sorted(users.keys() - CARTS.keys()):
        to.get(f"/carts/{sub}", body=empty)


def _order(sub: str, cart: Json, order_id: str, to: HarBuilder) -> None:
    asked = {"customer": sub, "address": _WHERE, "payment": "card", "note": None}
    order = {
        "id": order_id,
        "customer": sub,
        "status": "open",
        "placed_at": "2026-11-02T09:30:00Z",
        "currency": "EUR",
        "shipping_cents": cart["shipping_cents"],
        "total_cents": cart["total_cents"],
        "payment": {"method": "card", "captured": True},
        "address": _WHERE,
        "note": None,
        "lines": cart["items"],
        "shipments": [],
    }
    to.write("POST", "/orders", asked, body=order, status=201)


def _cart(sub: str, products: dict[str, Json]) -> Json:
    lines = [
        {
            "product_id": product_id,
            "quantity": quantity,
            "unit_price_cents": products[product_id]["price_cents"],
        }
        for product_id, quantity in CARTS[sub].items()
    ]
    goods = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
    shipping = 0 if goods >= _FREE_FROM else _SHIPPING
    return {"items": lines, "shipping_cents": shipping, "total_cents": goods + shipping}
