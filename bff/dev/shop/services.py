"""The requests of the shop's views to each service, and their replies."""

from collections.abc import Iterator
from typing import Any

from bff.dev.shop.carts import CARTS, record_carts
from bff.dev.shop.dice import Dice
from bff.dev.shop.har import HarBuilder
from bff.dev.shop.orders import make_orders, make_tracking
from bff.dev.shop.people import SEGMENTS, make_messages, make_users
from bff.dev.shop.products import card, make_categories, make_products
from bff.dev.shop.reviews import make_own_reviews, make_reviews, summary
from bff.dev.shop.searches import record_searches

Json = dict[str, Any]

UNKNOWN_PRODUCTS = ["p-100000", "p-999999"]
UNKNOWN_ORDERS = ["o-5000", "o-999999"]
BATCH = 20  # as `size` in the views
HOME_LIMITS = range(1, 21)
ORDERS_PAGE = 10


class ShopData:
    """All data of the shop, from which the services answer."""

    def __init__(self) -> None:
        self.categories = make_categories()
        self.products = make_products()
        self.users = make_users()
        self.orders = make_orders(list(self.products.values()), self.users)
        self.tracking = make_tracking(list(self.orders.values()))
        self.reviews = {key: make_reviews(key) for key in self.products}
        self.summaries = {key: summary(key, latest) for key, latest in self.reviews.items()}
        for key, product in self.products.items():
            product["rating"] = (self.summaries[key] or {}).get("average")

    def orders_of(self, sub: str) -> list[Json]:
        """A customer's orders, newest first."""
        return [order for order in reversed(self.orders.values()) if order["customer"] == sub]

    def similar_to(self, product: Json) -> list[str]:
        """The ids of six products of the same category."""
        alike = [
            other["id"]
            for other in self.products.values()
            if other["category_ids"] == product["category_ids"] and other is not product
        ]
        return Dice("similar", product["id"]).some(alike, 6)


def record(shop: ShopData) -> Iterator[HarBuilder]:
    """One recorder for each service, filled."""
    for service, fill in _FILL.items():
        recorder = HarBuilder(service)
        fill(shop, recorder)
        yield recorder


def _users(shop: ShopData, to: HarBuilder) -> None:
    for sub, user in shop.users.items():
        to.get(f"/users/{sub}", body=user)
    to.missing("/users/mallory", detail="There is no user mallory.")


def _orders(shop: ShopData, to: HarBuilder) -> None:
    for sub in shop.users:
        orders = shop.orders_of(sub)
        for limit in HOME_LIMITS:
            shown = {"items": orders[:limit], "total": len(orders)}
            to.get("/orders", {"customer": sub, "limit": limit}, body=shown)
        for status in (None, "open", "shipped", "delivered", "returned"):
            _order_pages(to, sub, status, orders)
        for order_id, order in shop.orders.items():
            asked = {"customer": sub}
            if order["customer"] == sub:
                to.get(f"/orders/{order_id}/access", asked, body={"allowed": True})
            else:
                to.missing(f"/orders/{order_id}/access", asked, detail=f"No order {order_id}.")
        for order_id in UNKNOWN_ORDERS:
            asked = {"customer": sub}
            to.missing(f"/orders/{order_id}/access", asked, detail=f"No order {order_id}.")
    for order_id, order in shop.orders.items():
        to.get(f"/orders/{order_id}", body=order)
    for order_id in UNKNOWN_ORDERS:
        to.missing(f"/orders/{order_id}", detail=f"No order {order_id}.")
    for shipment_id, tracking in shop.tracking.items():
        to.get(f"/shipments/{shipment_id}", body=tracking)
    record_carts(shop.products, shop.users, to)


def _order_pages(to: HarBuilder, sub: str, status: str | None, orders: list[Json]) -> None:
    found = [order for order in orders if status in (None, order["status"])]
    pages = -(-len(found) // ORDERS_PAGE)
    for page in range(1, pages + 2):  # one past the end, which clients may request
        start = (page - 1) * ORDERS_PAGE
        shown = found[start : start + ORDERS_PAGE]
        body = {"items": shown, "total": len(found), "page": page, "pages": pages}
        asked = {"customer": sub, "status": status, "page": page, "limit": ORDERS_PAGE}
        to.get("/orders", asked, body=body)


def _catalog(shop: ShopData, to: HarBuilder) -> None:
    for category_id, category in shop.categories.items():
        to.get(f"/categories/{category_id}", body=category)
    for product_id, product in shop.products.items():
        whole = {key: value for key, value in product.items() if key != "rating"}
        to.get(f"/products/{product_id}", body=whole)
    for product_id in UNKNOWN_PRODUCTS:
        to.missing(f"/products/{product_id}", detail=f"No product {product_id}.")
    for sub in shop.users:
        orders = shop.orders_of(sub)
        for limit in HOME_LIMITS:
            for ids in _batches(orders[:limit]):
                _cards(shop, to, ids)
    for order in shop.orders.values():
        for ids in _batches([order]):
            _cards(shop, to, ids)
    for product in shop.products.values():
        _cards(shop, to, shop.similar_to(product)[:4])
    record_searches(list(shop.products.values()), shop.categories, to)
    _cart_cards(shop, to)


def _cards(shop: ShopData, to: HarBuilder, ids: list[str]) -> None:
    cards = [card(shop.products[product_id]) for product_id in ids]
    to.get("/products", {"ids": ",".join(ids), "fields": "card"}, body={"items": cards})


def _cart_cards(shop: ShopData, to: HarBuilder) -> None:
    for ids in CARTS.values():
        _cards(shop, to, list(ids))


def _batches(orders: list[Json]) -> list[list[str]]:
    """The ids of all order lines without duplicates, in batches of the configured size."""
    ids = list(dict.fromkeys(line["product_id"] for order in orders for line in order["lines"]))
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _recommendations(shop: ShopData, to: HarBuilder) -> None:
    for segment, (roots, reason) in SEGMENTS.items():
        liked = [p for p in shop.products.values() if p["category_ids"][0] in roots]
        chosen = Dice("segment", segment).some(liked, 12)
        kept = ("id", "title", "price_cents", "image")
        items = [
            {**{key: card(product)[key] for key in kept}, "reason": reason} for product in chosen
        ]
        to.get(f"/for/{segment}", {"limit": 12}, body={"segment": segment, "items": items})
    for product_id, product in shop.products.items():
        to.get(f"/similar/{product_id}", body={"ids": shop.similar_to(product)})
    for product_id in UNKNOWN_PRODUCTS:
        to.get(f"/similar/{product_id}", body={"ids": []})


def _reviews(shop: ShopData, to: HarBuilder) -> None:
    for product_id in [*shop.products, *UNKNOWN_PRODUCTS]:
        latest, stars = shop.reviews.get(product_id, []), shop.summaries.get(product_id)
        if stars:
            to.get(f"/products/{product_id}/summary", body=stars)
        else:
            to.missing(f"/products/{product_id}/summary", detail=f"{product_id} has no reviews.")
        shown = {"items": latest[:3], "total": stars["count"] if stars else 0}
        to.get(f"/products/{product_id}/reviews", {"limit": 3}, body=shown)
    for sub, user in shop.users.items():
        written = make_own_reviews(user, shop.orders_of(sub))
        # Of other users' orders too: the view may call before its permission check has failed.
        for ids in [ids for order in shop.orders.values() for ids in _batches([order])]:
            shown = {"items": [review for review in written if review["product_id"] in ids]}
            to.get("/reviews", {"author": sub, "product": ids}, body=shown)


def _notifications(shop: ShopData, to: HarBuilder) -> None:
    for sub in shop.users:
        messages = make_messages(shop.orders_of(sub))
        unread = sum(1 for message in messages if not message["read"])
        to.get(f"/inbox/{sub}/count", body={"unread": unread, "total": len(messages)})
        for order_id in [*shop.orders, *UNKNOWN_ORDERS]:
            items = [message for message in messages if message["order_id"] == order_id]
            if items or sub == "ada":
                to.get(f"/inbox/{sub}", {"order": order_id}, body={"items": items})


_FILL = {
    "users": _users,
    "orders": _orders,
    "catalog": _catalog,
    "recommendations": _recommendations,
    "reviews": _reviews,
    "notifications": _notifications,
}
