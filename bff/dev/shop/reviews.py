"""Customers' reviews of products."""

from datetime import timedelta
from typing import Any

from bff.dev.shop.dice import Dice
from bff.dev.shop.orders import TODAY

Json = dict[str, Any]
_TEXTS = {
    5: ["Exactly what I was looking for.", "Bought a second one for my sister.", "Beautiful work."],
    4: ["Very good, if a little heavy.", "Good value. The box was dented.", "Does what it should."],
    3: ["Fine, but the colour is darker than in the picture.", "It is all right."],
    2: ["A handle came loose after a month.", "Expected more at this price."],
    1: ["Arrived broken.", "Not for me: sent it back."],
}
_NAMES = ["Mary S.", "Emmy N.", "Carl F. G.", "Sofia K.", "Leonhard E.", "Hedy L.", "Srini R."]


def make_reviews(product_id: str) -> list[Json]:
    """The latest reviews of a product, newest first; one product in fifteen has none."""
    dice = Dice("reviews", product_id)
    if dice.chance(1 / 15):
        return []
    return [
        _review(product_id, nth, {"id": None, "name": dice.pick(_NAMES)}, dice)
        for nth in range(1, dice.between(2, 4))
    ]


def make_own_reviews(user: Json, orders: list[Json]) -> list[Json]:
    """The reviews of one customer for the products of these orders."""
    bought = {
        line["product_id"]: None
        for order in orders
        if order["status"] == "delivered"
        for line in order["lines"]
    }
    written = []
    for product_id in bought:
        dice = Dice("own", user["id"], product_id)
        author = {"id": user["id"], "name": user["name"]}
        times = dice.pick([0, 0, 1, 1, 2])  # some review again after a year
        written += [_review(product_id, 100 + nth, author, dice) for nth in range(times)]
    return written


def _review(product_id: str, nth: int, author: Json, dice: Dice) -> Json:
    stars = dice.pick([5, 5, 5, 4, 4, 4, 3, 2, 1])
    written = TODAY - timedelta(days=nth * 17 % 200 + dice.between(0, 15))
    return {
        "id": f"r-{product_id[2:]}-{nth}",
        "product_id": product_id,
        "author": author,
        "stars": stars,
        "text": dice.pick(_TEXTS[stars]),
        "written_at": written.strftime("%Y-%m-%d"),
    }


def summary(product_id: str, latest: list[Json]) -> Json | None:
    """The average rating of a product; None where it has no review."""
    if not latest:
        return None
    dice = Dice("summary", product_id)
    counts = {star: dice.between(*spread) for star, spread in _SPREAD.items()}
    for review in latest:
        counts[review["stars"]] += 1
    total = sum(counts.values())
    average = sum(star * many for star, many in counts.items()) / total
    stars = {str(star): many for star, many in counts.items()}
    return {"product_id": product_id, "average": round(average, 1), "count": total, "stars": stars}


_SPREAD = {5: (2, 60), 4: (2, 40), 3: (0, 15), 2: (0, 8), 1: (0, 6)}
