"""The recorded searches: those that a visitor of the demo is likely to try."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from bff.dev.shop.har import HarBuilder
from bff.dev.shop.products import search, slug
from bff.dev.shop.vocabulary import BRANDS, SEARCHES

Json = dict[str, Any]

SORTS = ["relevance", "price", "-price", "rating", "newest"]
PRICES = [
    {"max_price": 5000},
    {"min_price": 5000, "max_price": 15000},
    {"min_price": 15000},
    {"max_price": 9000},
]


def record_searches(products: list[Json], categories: dict[str, Json], to: HarBuilder) -> None:
    """Record each search; stubs match parameters in any order."""
    for asked in _searches(categories):
        full = {"q": "", "sort": "relevance", "page": 1, **asked}
        to.get("/search", full, body=search(products, categories, full))


def _searches(categories: dict[str, Json]) -> Iterator[Json]:
    words = ["", *SEARCHES]
    brands = [slug(brand) for made in BRANDS.values() for brand in made]
    yield from ({"q": word, "sort": sort} for word in words for sort in SORTS)
    yield from ({"q": word, "page": 2} for word in words)
    yield from ({"page": page} for page in range(3, 7))
    yield from ({"brand": [brand]} for brand in brands)
    yield from ({"brand": list(pair)} for pair in pairwise(brands))
    yield from ({"q": "lamp", "brand": brand} for brand in _LAMP_BRANDS)
    yield from ({"q": "lamp", "brand": ["lumen", "halo"], **price} for price in PRICES)
    yield from (
        {"q": "lamp", "brand": ["lumen", "halo"], "sort": sort, "max_price": 9000} for sort in SORTS
    )
    yield from ({"category": category} for category in categories)
    yield from ({"q": word, **price} for word in ("", "lamp", "desk") for price in PRICES)
    yield {"q": "nothing of the kind"}


_LAMP_BRANDS = [["lumen"], ["halo"], ["nordlys"], ["lumen", "halo"]]
