"""Orders, their customers, and the tracking of their parcels."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bff.dev.shop.dice import Dice

Json = dict[str, Any]
TODAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
# The number of orders of each customer; `bff demo` is signed in as ada.
_COUNTS = {"ada": 24, "grace": 6, "alan": 4, "katherine": 3, "edsger": 1, "barbara": 0}
_CARRIERS = ["Postbus", "Velo Courier", "Parcelway"]


def make_orders(products: list[Json], users: dict[str, Json]) -> dict[str, Json]:
    """Every order by id, oldest first."""
    placed = sorted(
        (Dice("placed", sub, nth).between(nth * 5, nth * 5 + 2), sub)
        for sub, many in _COUNTS.items()
        for nth in range(many)
    )
    made = [
        _order(f"o-{5001 + nth}", users[sub], days, products)
        for nth, (days, sub) in enumerate(reversed(placed))
    ]
    return {order["id"]: order for order in made}


def _order(order_id: str, user: Json, days_ago: int, products: list[Json]) -> Json:
    dice = Dice("order", order_id)
    lines = [
        {
            "product_id": product["id"],
            "quantity": 1 if dice.chance(0.7) else dice.between(2, 4),
            "unit_price_cents": product["price_cents"],
        }
        for product in dice.some(products, dice.between(1, 4))
    ]
    placed = TODAY - timedelta(days=days_ago, minutes=dice.between(1, 500))
    status = _status(days_ago, dice)
    goods = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
    return {
        "id": order_id,
        "customer": user["id"],
        "status": status,
        "placed_at": placed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currency": "EUR",
        "shipping_cents": 0 if goods >= 5000 else 490,  # noqa: PLR2004 - free from 50 euros
        "total_cents": goods + (0 if goods >= 5000 else 490),  # noqa: PLR2004
        "payment": {"method": dice.pick(["card", "invoice", "transfer"]), "captured": True},
        "address": user["address"],
        "lines": lines,
        "shipments": [] if status == "open" else _shipments(order_id, len(lines), dice),
    }


def _status(days_ago: int, dice: Dice) -> str:
    for within, status in ((3, "open"), (12, "shipped")):
        if days_ago <= within:
            return status
    return "returned" if dice.chance(0.1) else "delivered"


def _shipments(order_id: str, lines: int, dice: Dice) -> list[Json]:
    parcels = 2 if lines > 2 and dice.chance(0.6) else 1  # noqa: PLR2004 - large orders are split
    return [
        {"id": f"s-{order_id[2:]}{nth}", "carrier": dice.pick(_CARRIERS)}
        for nth in range(1, parcels + 1)
    ]


def make_tracking(orders: list[Json]) -> dict[str, Json]:
    """The location of each parcel, by shipment id."""
    return {
        shipment["id"]: _tracking(shipment, order)
        for order in orders
        for shipment in order["shipments"]
    }


def _tracking(shipment: Json, order: Json) -> Json:
    dice = Dice("tracking", shipment["id"])
    sent = datetime.fromisoformat(order["placed_at"]) + timedelta(days=1)
    arrives = sent + timedelta(days=dice.between(2, 5))
    under_way = dice.pick(["in_transit", "out_for_delivery"])
    return {
        "id": shipment["id"],
        "carrier": shipment["carrier"],
        "code": f"{shipment['carrier'][:2].upper()}{dice.between(10**8, 10**9 - 1)}",
        "status": under_way if order["status"] == "shipped" else order["status"],
        "eta": arrives.strftime("%Y-%m-%d"),
        "events": [
            {"at": sent.strftime("%Y-%m-%dT%H:%M:%SZ"), "text": "Handed to the carrier"},
        ],
    }
