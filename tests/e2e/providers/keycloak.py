"""Keycloak, in a process of its own, with the realm of realm.json and a folder for its data."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e.serving import ROOT, running

CLIENT: Final = "shop"
ROLES: Final = 100  # of the account `admin`: an ID token of about 6,000 characters
_INSTALLED: Final = ROOT / "build/keycloak"
_PATIENCE: Final = 300.0  # seconds: twenty on a machine that does nothing else
_FLAGS: Final = ("--optimized", "--http-enabled=true", "--hostname-strict=false", "--import-realm")


@contextmanager
def from_maven(folder: Path, port: int, app: str, secret: str) -> Iterator[str]:
    """Run Keycloak; its issuer.

    Args:
        app: the origin of its one client, the app.
        secret: that client's.
    """
    assert (_INSTALLED / ".done").is_file(), "Keycloak is not installed: `make test-all` does that"
    home = folder / "keycloak"
    (home / "bin").mkdir(parents=True)
    shutil.copy(_INSTALLED / "bin/kc.sh", home / "bin")  # it looks for the others beside itself
    for each in ("conf", "lib", "providers", "themes"):
        (home / each).symlink_to(_INSTALLED / each)
    (home / "data/import").mkdir(parents=True)
    (home / "data/import/shop-realm.json").write_text(_realm(app, secret))
    issuer = f"http://127.0.0.1:{port}/realms/shop"
    command = ["bash", str(home / "bin/kc.sh"), "start", *_FLAGS]
    command += ["--http-host=127.0.0.1", f"--http-port={port}"]
    url, log = f"{issuer}/.well-known/openid-configuration", folder / "keycloak.log"
    with running(command, log, url, patience=_PATIENCE, JAVA_OPTS_APPEND="-Xmx512m"):
        yield issuer


def _realm(app: str, secret: str) -> str:
    text = Path(__file__).with_name("realm.json").read_text()
    realm = json.loads(text.replace("APP/", f"{app}/").replace("SECRET", secret))
    roles = [f"department-{at:03}-administrator-of-everything" for at in range(ROLES)]
    realm["roles"] = {"realm": [{"name": each} for each in roles]}
    for user in realm["users"]:
        if user["username"] == "admin":
            user["realmRoles"] = roles
    return json.dumps(realm)
