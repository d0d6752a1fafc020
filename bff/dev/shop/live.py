"""The stateful services of the shop, which a recording cannot replay: carts and orders.

`bff stub` and `bff demo` use them in place of recordings. They start with the recorded carts, and
store everything in memory.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import RLock
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from bff.dev.recordings.message import Answerer, StubReply, StubRequest

Json = dict[str, Any]
_CARD = ("id", "title", "currency", "price_cents", "stock")
_FREE_FROM, _SHIPPING = 5000, 490  # cents
_CHANGE, _ORDER = 0.03, 0.35  # seconds; an order takes as long as a payment
_MOST = 99
_OK = 200


def answerers(recorded: Mapping[str, Answerer]) -> Mapping[str, Answerer]:
    """The stateful services, by name; all others answer from recordings."""
    shop = LiveShop(recorded)
    return {
        "orders": OrderService(shop),
        "catalog": shop.catalog,
        "reviews": shop.reviews,
        "notifications": shop.notifications,
    }


class LiveShop:
    """The carts and new orders of all users, and the replies that depend on them."""

    def __init__(self, recorded: Mapping[str, Answerer]) -> None:
        self._recorded = recorded
        self.lock = RLock()
        self.carts: dict[str, dict[str, int]] = {}  # user -> product -> quantity
        self.orders: dict[str, Json] = {}  # by id, oldest first
        self.replies: dict[tuple[str, str], StubReply] = {}  # by user and Idempotency-Key

    def ask(self, service: str, path: str, query: Mapping[str, Any] | None = None) -> StubReply:
        """The recorded reply to a GET."""
        asked = urlencode(query or {}, doseq=True, safe=",")
        target = path + ("?" + asked if asked else "")
        return self._recorded[service](StubRequest(service, "GET", target, path, asked))

    def otherwise(self, request: StubRequest) -> StubReply:
        """The recorded reply to a request that depends on no state."""
        return self._recorded[request.service](request)

    def product(self, product_id: str) -> Json | None:
        """One product; None where there is none."""
        reply = self.ask("catalog", f"/products/{product_id}")
        return json.loads(reply.body) if reply.status == _OK else None

    def cart(self, sub: str) -> dict[str, int]:
        """The cart of a user, initially as recorded."""
        if sub not in self.carts:
            reply = self.ask("orders", f"/carts/{sub}")
            lines = json.loads(reply.body)["items"] if reply.status == _OK else []
            self.carts[sub] = {line["product_id"]: line["quantity"] for line in lines}
        return self.carts[sub]

    def placed_by(self, sub: str) -> list[Json]:
        """The new orders of a user, newest first."""
        with self.lock:
            return [each for each in reversed(self.orders.values()) if each["customer"] == sub]

    def catalog(self, request: StubRequest) -> StubReply:
        """Any list of products; only some lists are recorded."""
        asked = parse_qs(request.query)
        if (request.method, request.path) != ("GET", "/products") or "ids" not in asked:
            return self.otherwise(request)
        wanted = asked["ids"][0].split(",")
        replies = [self.ask("catalog", f"/products/{each}") for each in wanted]
        cards = [_card(json.loads(each.body)) for each in replies if each.status == _OK]
        headers = [each for each in replies[0].headers if each[0] != "Content-Type"]
        delay = max(each.delay for each in replies)
        return StubReply.json({"items": cards}, headers=headers, delay=delay)

    def reviews(self, request: StubRequest) -> StubReply:
        """Products of new orders have no reviews."""
        asked = parse_qs(request.query)
        lines = [set(_products(each)) for each in self.placed_by(asked.get("author", [""])[0])]
        if request.path == "/reviews" and set(asked.get("product", [])) in lines:
            return StubReply.json({"items": []}, delay=_CHANGE)
        return self.otherwise(request)

    def notifications(self, request: StubRequest) -> StubReply:
        """A message for each new order."""
        sub = request.path.split("/")[2]
        placed = {each["id"]: each for each in self.placed_by(sub)}
        order = placed.get(parse_qs(request.query).get("order", [""])[0])
        if order:
            told = {"id": f"n-{order['id'][2:]}", "kind": "order", "order_id": order["id"]}
            told |= {"title": "We have your order", "at": order["placed_at"], "read": False}
            return StubReply.json({"items": [told]}, delay=_CHANGE)
        reply = self.otherwise(request)
        if not placed or not request.path.endswith("/count"):
            return reply
        counts = {key: value + len(placed) for key, value in json.loads(reply.body).items()}
        return StubReply.json(counts, delay=reply.delay)


class OrderService:
    """The service `orders`: carts and new orders, and recorded replies."""

    def __init__(self, shop: LiveShop) -> None:
        self._shop = shop

    def __call__(self, request: StubRequest) -> StubReply:
        """Answer a request; a repeated Idempotency-Key gets the first reply again."""
        parts = [unquote(each) for each in request.path.strip("/").split("/")]
        with self._shop.lock:
            own = self._read if request.method == "GET" else self._written
            return own(request, parts) or self._shop.otherwise(request)

    def _read(self, request: StubRequest, parts: list[str]) -> StubReply | None:
        match parts:
            case ["carts", sub]:
                return StubReply.json(self._cart(sub), delay=_CHANGE)
            case ["orders"]:
                return self._listed(request)
            case ["orders", order_id, *rest] if order_id in self._shop.orders:
                return self._one(request, self._shop.orders[order_id], rest)
        return None

    def _written(self, request: StubRequest, parts: list[str]) -> StubReply | None:
        match request.method, parts:
            case "POST", ["carts", sub, "items"]:
                return self._once(request, sub, lambda: self._add(sub, request.json()))
            case "PUT", ["carts", sub, "items", product_id]:
                return self._change(sub, product_id, request.json()["quantity"])
            case "DELETE", ["carts", sub, "items", product_id]:
                self._shop.cart(sub).pop(product_id, None)
                return StubReply(204, delay=_CHANGE)
            case "POST", ["orders"]:
                asked = request.json()
                return self._once(request, asked["customer"], lambda: self._place(asked))
        return None

    def _once(self, request: StubRequest, sub: str, do: Callable[[], StubReply]) -> StubReply:
        key = request.header("Idempotency-Key")
        if key is None:
            return do()
        replies = self._shop.replies
        if (sub, key) not in replies:
            replies[sub, key] = do()
        return replies[sub, key]

    def _cart(self, sub: str) -> Json:
        lines = [
            {"product_id": each, "quantity": quantity, "unit_price_cents": product["price_cents"]}
            for each, quantity in self._shop.cart(sub).items()
            if (product := self._shop.product(each))
        ]
        return {"items": lines, **_sums(lines)}

    def _add(self, sub: str, asked: Json) -> StubReply:
        cart, product_id = self._shop.cart(sub), asked["product_id"]
        if self._shop.product(product_id) is None:
            return StubReply.problem(404, "No such product")
        cart[product_id] = min(_MOST, cart.get(product_id, 0) + asked["quantity"])
        line = {"product_id": product_id, "quantity": cart[product_id]}
        return StubReply.json(line, 201, delay=_CHANGE)

    def _change(self, sub: str, product_id: str, quantity: int) -> StubReply:
        cart = self._shop.cart(sub)
        if product_id not in cart:
            return StubReply.problem(404, "Not in the cart")
        cart[product_id] = quantity
        return StubReply.json({"product_id": product_id, "quantity": quantity}, delay=_CHANGE)

    def _place(self, asked: Json) -> StubReply:
        sub = asked["customer"]
        cart = self._cart(sub)
        if not cart["items"]:
            return StubReply.problem(422, "The cart is empty")
        order = {
            "id": f"o-{6001 + len(self._shop.orders)}",
            "customer": sub,
            "status": "open",
            "placed_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "currency": "EUR",
            "shipping_cents": cart["shipping_cents"],
            "total_cents": cart["total_cents"],
            "payment": {"method": asked["payment"], "captured": True},
            "address": asked["address"],
            "note": asked.get("note"),
            "lines": cart["items"],
            "shipments": [],
        }
        self._shop.orders[order["id"]] = order
        self._shop.carts[sub] = {}
        return StubReply.json(order, 201, delay=_ORDER)

    def _listed(self, request: StubRequest) -> StubReply | None:
        asked = {name: values[0] for name, values in parse_qs(request.query).items()}
        placed = self._shop.placed_by(asked.get("customer", ""))
        if not placed:
            return None
        orders = [*placed, *self._recorded(asked["customer"])]
        found = [each for each in orders if asked.get("status", each["status"]) == each["status"]]
        limit, page = int(asked["limit"]), int(asked.get("page", 1))
        body: Json = {"items": found[(page - 1) * limit : page * limit], "total": len(found)}
        if "page" in asked:
            body |= {"page": page, "pages": -(-len(found) // limit)}
        return StubReply.json(body, delay=_CHANGE)

    def _recorded(self, sub: str) -> list[Json]:
        found: list[Json] = []
        page, pages = 1, 1
        while page <= pages:
            asked = {"customer": sub, "page": page, "limit": 10}
            body = json.loads(self._shop.ask("orders", "/orders", asked).body)
            found += body["items"]
            page, pages = page + 1, body["pages"]
        return found

    def _one(self, request: StubRequest, order: Json, rest: list[str]) -> StubReply:
        if not rest:
            return StubReply.json(order, delay=_CHANGE)
        if rest == ["access"] and f"customer={order['customer']}" in request.query.split("&"):
            return StubReply.json({"allowed": True}, delay=_CHANGE)
        return StubReply.problem(404, "Not Found", detail=f"No order {order['id']}.")


def _sums(lines: list[Json]) -> Json:
    goods = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
    shipping = 0 if goods >= _FREE_FROM or not lines else _SHIPPING
    return {"shipping_cents": shipping, "total_cents": goods + shipping}


def _products(order: Json) -> list[str]:
    return [line["product_id"] for line in order["lines"]]


def _card(product: Json) -> Json:
    kept = {key: product[key] for key in _CARD}
    return {**kept, "brand": product["brand"]["name"], "image": product["images"][0]}
