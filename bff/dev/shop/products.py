"""The catalog: categories, products, and the search over them."""

import re
from itertools import count
from typing import Any

from bff.dev.shop.dice import Dice
from bff.dev.shop.vocabulary import (
    BRANDS,
    CATEGORIES,
    COLOURS,
    COUNTRIES,
    MATERIALS,
    PRAISE,
    SERIES,
)

Json = dict[str, Any]
PAGE_SIZE = 12
_SORTS = {
    "relevance": lambda product: product["id"],
    "price": lambda product: product["price_cents"],
    "-price": lambda product: -product["price_cents"],
    "rating": lambda product: -(product["rating"] or 0),
    "newest": lambda product: [-int(part) for part in product["released"].split("-")],
}


def slug(text: str) -> str:
    """`Coffee and Tea` as `coffee-and-tea`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def make_categories() -> dict[str, Json]:
    """Every category by id; a leaf's path holds its parent's."""
    found: dict[str, Json] = {}
    for root, leaves in CATEGORIES.items():
        top = slug(root)
        found[top] = {"id": top, "name": root, "path": f"/c/{top}", "parent_id": None}
        for leaf in leaves:
            below = f"{top}-{slug(leaf)}"
            path = f"/c/{top}/{slug(leaf)}"
            found[below] = {"id": below, "name": leaf, "path": path, "parent_id": top}
    return found


def make_products() -> dict[str, Json]:
    """Ten products for each leaf category, by id, in order of their ids."""
    numbers = count(100001)
    leaves = [(root, leaf) for root, below in CATEGORIES.items() for leaf in below]
    made = [_product(f"p-{next(numbers)}", *leaf, n) for leaf in leaves for n in range(10)]
    return {product["id"]: product for product in made}


def _product(product_id: str, root: str, leaf: str, nth: int) -> Json:
    dice = Dice("product", product_id)
    least, most, nouns = CATEGORIES[root][leaf]
    noun, series, brand = nouns[nth % len(nouns)], SERIES[nth], dice.pick(BRANDS[root])
    material, colour = dice.pick(MATERIALS[root]), dice.pick(COLOURS)
    price = dice.between(least, most) * 100 - dice.pick([1, 5, 10, 100])
    return {
        "id": product_id,
        "sku": f"{slug(brand)[:3].upper()}-{series[:3].upper()}-{product_id[2:]}",
        "title": f"{brand} {series} {noun}",
        "brand": {"id": slug(brand), "name": brand},
        "category_ids": [slug(root), f"{slug(root)}-{slug(leaf)}"],
        "description": f"{noun} in {material}, {colour}. {dice.pick(PRAISE)}",
        "currency": "EUR",
        "price_cents": price,
        "list_price_cents": price * 5 // 4 if dice.chance(0.2) else None,
        "tax_class": "standard",
        "stock": 0 if dice.chance(0.08) else dice.between(1, 140),
        "images": [f"images/{product_id}-{n}.jpg" for n in range(1, dice.between(2, 4))],
        "attributes": {
            "material": material,
            "colour": colour,
            "weight_g": dice.between(12, 400) * 10,
            "made_in": dice.pick(COUNTRIES),
        },
        "warranty_months": dice.pick([24, 36, 60]),
        "supplier": {"id": f"sup-{dice.between(10, 40)}", "lead_days": dice.between(2, 21)},
        "released": f"{dice.between(2021, 2026)}-{dice.between(1, 10):02}-{dice.between(1, 28):02}",
    }


def card(product: Json) -> Json:
    """The fields of a product that lists contain."""
    kept = {key: product[key] for key in ("id", "title", "currency", "price_cents", "stock")}
    return {**kept, "brand": product["brand"]["name"], "image": product["images"][0]}


def search(products: list[Json], categories: dict[str, Json], asked: Json) -> Json:
    """One page of results for `asked` (q, brand, category, min_price, max_price, sort, page)."""
    found = [product for product in products if _wanted(product, asked)]
    found.sort(key=lambda product: product["id"])
    found.sort(key=_SORTS[asked["sort"]])
    start = (asked["page"] - 1) * PAGE_SIZE
    return {
        "total": len(found),
        "page": asked["page"],
        "pages": -(-len(found) // PAGE_SIZE),
        "items": [
            {**card(product), "rating": product["rating"]}
            for product in found[start : start + PAGE_SIZE]
        ],
        "facets": {
            "brands": _facet([(p["brand"]["id"], p["brand"]["name"]) for p in found]),
            "categories": _facet(
                [(c, categories[c]["name"]) for p in found for c in p["category_ids"][:1]]
            ),
        },
    }


def _wanted(product: Json, asked: Json) -> bool:
    text = f"{product['title']} {product['description']} {' '.join(product['category_ids'])}"
    return (
        asked["q"].lower() in text.lower()
        and (not asked.get("brand") or product["brand"]["id"] in asked["brand"])
        and (not asked.get("category") or asked["category"] in product["category_ids"])
        and asked.get("min_price", 0) <= product["price_cents"] <= asked.get("max_price", 10**9)
    )


def _facet(values: list[tuple[str, str]]) -> list[Json]:
    counted = sorted(set(values), key=lambda value: (-values.count(value), value))
    return [{"id": key, "name": name, "count": values.count((key, name))} for key, name in counted]
