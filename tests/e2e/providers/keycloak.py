"""Keycloak: one process for all tests of a run, and in it a realm of realm.json for each app.

The first test that needs it starts it, in any process of pytest-xdist; it ends with the last of
these processes, however that ends: each holds a shared lock, for which the process that runs
Keycloak waits.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from functools import partial
from pathlib import Path
from typing import Final

from tests.e2e.providers.keycloak_realm import ADMIN, Realm
from tests.e2e.serving import ROOT, running

_INSTALLED: Final = ROOT / "build/keycloak"
_PATIENCE: Final = 300.0  # seconds: twenty on a machine that does nothing else
# What `start-dev` sets, without building the server anew at each start
_FLAGS: Final = (
    "--optimized",
    "--http-enabled=true",
    "--hostname-strict=false",
    "--http-host=127.0.0.1",
    "--http-port=0",  # a free one: it starts slowly, and another process may take one meanwhile
)


class Keycloak:
    """A running Keycloak.

    Args:
        url: its origin.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def realm(self, name: str, app: str, backchannel: str, secret: str) -> Realm:
        """Import realm.json.

        Args:
            name: one that is not taken.
            app: the origin of the app, as browsers know it.
            backchannel: the origin of the app, as Keycloak reaches it.
            secret: that of the realm's confidential clients.
        """
        realm = Realm(self._url, name, secret)
        realm.import_file(Path(__file__).with_name("realm.json"), app, backchannel)
        return realm


@contextmanager
def shared_keycloak(folder: Path) -> Iterator[Keycloak]:
    """Use the one Keycloak of all who name this folder; start it if it does not run.

    Args:
        folder: where its data and its log are.
    """
    assert (_INSTALLED / ".done").is_file(), "Keycloak is not installed: `make test-all` does that"
    folder.mkdir(exist_ok=True)
    address = folder / "address"
    with (folder / "starting").open("w") as starting, (folder / "users").open("w") as users:
        flock(starting, LOCK_EX)
        flock(users, LOCK_SH)  # waits while the last one ends
        if not address.is_file():
            _start(folder)
        url = address.read_text()
        flock(starting, LOCK_UN)
        yield Keycloak(url)


def _start(folder: Path) -> None:
    """Start a process that runs Keycloak; return when it answers."""
    setsid = shutil.which("setsid")
    assert setsid, "setsid is missing: it is in Debian's util-linux"
    command = [setsid, "--fork", sys.executable, "-m", "tests.e2e.providers.keycloak", str(folder)]
    with (folder / "runner.log").open("w") as log:
        # its output ends when it is ready, or has failed
        subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, check=True)  # noqa: S603
    if not (folder / "address").is_file():
        raise AssertionError((folder / "runner.log").read_text())


def _run(folder: Path) -> None:
    """Run Keycloak until no process uses it."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    (home / "bin").mkdir(parents=True)
    shutil.copy(_INSTALLED / "bin/kc.sh", home / "bin")  # it looks for the others beside itself
    for each in ("conf", "lib", "providers", "themes"):
        (home / each).symlink_to(_INSTALLED / each)
    command = ["bash", str(home / "bin/kc.sh"), "start", *_FLAGS]
    environ = {
        "JAVA_OPTS_APPEND": "-Xmx512m",
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN,
    }
    address, log = folder / "address", folder / "keycloak.log"
    with (
        (folder / "users").open() as users,
        running(command, log, partial(_master, log), patience=_PATIENCE, **environ),
    ):
        address.write_text(_origin(log))
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it is no path of a file
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # says that it is ready
        flock(users, LOCK_EX)
        address.unlink()


def _origin(log: Path) -> str:
    """Where Keycloak listens, as its log says; empty if it does not yet."""
    found = re.search(r"Listening on: (http://127\.0\.0\.1:[0-9]+)", log.read_text())
    return found[1] if found else ""


def _master(log: Path) -> str:
    """The address of the realm that there always is; empty if it is not known yet."""
    origin = _origin(log)
    return origin and f"{origin}/realms/master"


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
