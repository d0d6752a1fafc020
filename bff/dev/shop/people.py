"""The customers of the shop, and their messages."""

from datetime import datetime, timedelta
from typing import Any

from bff.dev.shop.dice import Dice

Json = dict[str, Any]

# sub, name, plan, segment, city, tenant
_PEOPLE = [
    ("ada", "Ada Lovelace", "pro", "coffee-lovers", "London", "acme"),
    ("grace", "Grace Hopper", "pro", "home-workers", "Arlington", "navy"),
    ("alan", "Alan Turing", "free", "outdoors", "Manchester", "acme"),
    ("katherine", "Katherine Johnson", "pro", "outdoors", "Hampton", "navy"),
    ("edsger", "Edsger Dijkstra", "free", "home-workers", "Nuenen", "acme"),
    ("barbara", "Barbara Liskov", "free", "new-homes", "Boston", "navy"),
]

# segment -> its root categories and its message
SEGMENTS = {
    "coffee-lovers": (["coffee-and-tea", "kitchen"], "Goes with your kettle"),
    "home-workers": (["home-office", "lighting"], "For a calmer desk"),
    "outdoors": (["outdoor", "garden"], "For the next long weekend"),
    "new-homes": (["bed-and-bath", "lighting", "kitchen"], "People who move buy these"),
}

_TOLD = {
    "open": ["We have your order"],
    "shipped": ["We have your order", "Your order is on its way"],
    "delivered": ["Your order was delivered", "How was it? Write a review"],
    "returned": ["Your parcel is back with us", "Your refund is on its way"],
}


def make_users() -> dict[str, Json]:
    """All users by `sub`."""
    return {
        sub: {
            "id": sub,
            "name": name,
            "email": f"{sub}@example.com",
            "plan": plan,
            "tenant": tenant,
            "segment": segment,
            "avatar": f"avatars/{sub}.png",
            "language": "en",
            "member_since": f"20{Dice('user', sub).between(16, 24)}-05-01",
            "address": {
                "name": name,
                "street": f"{Dice('street', sub).between(2, 80)} Mill Lane",
                "city": city,
            },
            "marketing_consent": Dice("consent", sub).chance(0.5),
        }
        for sub, name, plan, segment, city, tenant in _PEOPLE
    }


def make_messages(orders: list[Json]) -> list[Json]:
    """The messages of one customer about these orders, newest first."""
    return [
        {
            "id": f"n-{order['id'][2:]}{nth}",
            "kind": "order",
            "order_id": order["id"],
            "title": title,
            "at": _hours_after(order["placed_at"], 20 * nth - 19),
            "read": order["status"] not in {"open", "shipped"},
        }
        for order in orders
        for nth, title in reversed(list(enumerate(_TOLD[order["status"]], 1)))
    ]


def _hours_after(moment: str, hours: int) -> str:
    later = datetime.fromisoformat(moment) + timedelta(hours=hours)
    return later.strftime("%Y-%m-%dT%H:%M:%SZ")
