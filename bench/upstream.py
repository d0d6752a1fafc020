"""The upstream of every page: a local nginx with static JSON, which costs next to nothing."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from bench.processes import Failed, Server

_SIZE: Final = 4096  # bytes of each of the two large replies
_STATUSES: Final = ("placed", "packed", "sent", "delivered")
_CONFIG: Final = """\
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nodelay on;
  keepalive_timeout 75s; keepalive_requests 100000000;
  open_file_cache max=16; open_file_cache_valid 1h;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
  uwsgi_temp_path tmp; scgi_temp_path tmp;
  default_type application/json; types {{ }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root files;
    location = /status {{ stub_status; }}
    location /users/ {{ try_files /user.json =404; }}
    location /inbox/ {{ try_files /inbox.json =404; }}
    location = /orders {{ try_files /orders.json =404; }}
    location /for/ {{ try_files /recommended.json =404; }}
  }}
}}
"""


def start_upstream(scratch: Path, port: int) -> Server:
    """Write the replies, and start an nginx that serves them.

    Raises:
        Failed: there is no nginx.
    """
    program = find("nginx")
    files = scratch / "files"
    files.mkdir()
    for name, document in _documents().items():
        (files / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")))
    user = "user root;" if os.geteuid() == 0 else ""  # the scratch folder is nobody else's
    config = scratch / "nginx.conf"
    config.write_text(_CONFIG.format(user=user, port=port))
    command = [program, "-p", str(scratch), "-c", str(config), "-e", "stderr"]
    return Server("nginx", command, {}, port, scratch / "nginx.log")


def find(program: str) -> str:
    """Where a program is, also where only root has a path to it.

    Raises:
        Failed: nowhere.
    """
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin")
    if path is None:
        raise Failed(f"there is no {program} here: `make bench` installs it")
    return path


def _documents() -> dict[str, Any]:
    return {
        "user": {
            "id": 7,
            "name": "Ada Lovelace",
            "plan": "pro",
            "avatar": "images/people/7.svg",
            "segment": "engines",
            "email": "ada@shop.example",
        },
        "inbox": {"unread": 3},
        "orders": _filled(_order),
        "recommended": _filled(_product),
    }


def _filled(make: Any) -> dict[str, list[Any]]:
    """As many items as make just over 4 KB of JSON."""
    items: list[Any] = []
    while len(json.dumps({"items": items}, separators=(",", ":"))) < _SIZE:
        items.append(make(len(items)))
    return {"items": items}


def _order(at: int) -> dict[str, Any]:
    return {
        "id": f"o-{700100 + at}",
        "status": _STATUSES[at % len(_STATUSES)],
        "placed_at": f"2026-03-{at % 28 + 1:02}T09:30:00Z",
        "total_cents": 4999 + 350 * at,
        "currency": "EUR",
        "lines": [
            {"product_id": f"p-{100001 + 7 * at + line}", "quantity": line + 1, "price_cents": 1250}
            for line in range(at % 4 + 1)
        ],
        "address": {"street": f"{at + 1} Analytical Row", "city": "London", "country": "GB"},
    }


def _product(at: int) -> dict[str, Any]:
    return {
        "id": f"p-{100001 + at}",
        "title": f"Difference engine, part {at + 1}",
        "price_cents": 1250 + 125 * at,
        "currency": "EUR",
        "image": f"images/products/{100001 + at}.svg",
        "reason": "People who bought engines bought this as well",
        "tags": ["brass", "gears", "steam"],
        "stock": 40 + at,
    }
