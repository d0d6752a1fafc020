"""A realm of Keycloak, as its administrator sees it: imported from a file, watched and changed."""

import base64
import hmac
import json
import struct
import time
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import httpx

ADMIN: Final = "admin"  # of the realm `master`: its name and its password
CLIENT: Final = "shop"
MFA: Final = "urn:shop:mfa"  # a level that realm.json has
ROLES: Final = tuple(f"department-{at:03}-administrator-of-everything" for at in range(100))
_OTP_SECRET: Final = b"a second factor of the tests"  # as realm.json has it
_PATIENCE: Final = 60.0


class Realm:
    """One realm.

    Args:
        secret: of its confidential clients.
    """

    def __init__(self, url: str, name: str, secret: str) -> None:
        self._url, self.name, self.secret = url, name, secret
        self.issuer = f"{url}/realms/{name}"
        self._http = httpx.Client(timeout=_PATIENCE, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def import_file(self, file: Path, app: str, backchannel: str) -> None:
        text = file.read_text()
        for word, value in (("BACKCHANNEL", backchannel), ("APP", app), ("SECRET", self.secret)):
            text = text.replace(word, value)
        realm = json.loads(text)
        realm["realm"] = self.name
        realm["roles"]["realm"] += [{"name": each} for each in ROLES]
        (admin,) = [each for each in realm["users"] if each["username"] == "admin"]
        admin["realmRoles"] += ROLES
        self._send("POST", f"{self._url}/admin/realms", realm)

    def count(self, kind: str) -> int:
        """How many events of a kind there have been: LOGIN, REFRESH_TOKEN, REFRESH_TOKEN_ERROR …"""
        return len(self.administer("GET", f"events?type={kind}&max=10000"))

    def sign_out(self, username: str) -> None:
        """End all sessions of a user, as the administrator."""
        (user,) = self.administer("GET", f"users?exact=true&username={username}")
        self.administer("POST", f"users/{user['id']}/logout")

    def end_session(self, sid: str) -> None:
        """End one session, as the administrator."""
        self.administer("DELETE", f"sessions/{sid}")

    def set_client(self, **attributes: str) -> None:
        """Change attributes of the app's client; `__` stands for a dot."""
        (client,) = self.administer("GET", f"clients?clientId={CLIENT}")
        changed = {name.replace("__", "."): value for name, value in attributes.items()}
        client["attributes"] |= changed
        self.administer("PUT", f"clients/{client['id']}", client)

    def add_key(self, algorithm: str) -> str:
        """Sign with a new key from now on; the `kid` of that which is passive now.

        Args:
            algorithm: RS256, of what others verify, or HS512, of what comes back to Keycloak alone.
        """
        before = self._active_key(algorithm)
        component = {
            "name": f"key-{before}",
            "providerId": {"RS256": "rsa-generated", "HS512": "hmac-generated"}[algorithm],
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": self.administer("GET", "")["id"],
            "config": {"priority": ["200"], "algorithm": [algorithm]},  # its own have 100
        }
        self.administer("POST", "components", component)
        assert self._active_key(algorithm) != before
        return before

    def remove_key(self, kid: str) -> None:
        """Have a key no more, and publish it no more."""
        (key,) = [each for each in self.administer("GET", "keys")["keys"] if each["kid"] == kid]
        self.administer("DELETE", f"components/{key['providerId']}")

    def _active_key(self, algorithm: str) -> str:
        return str(self.administer("GET", "keys")["active"][algorithm])

    def token(self, username: str) -> str:
        """An access token of the mobile app's client."""
        return self.tokens(username)["access_token"]

    def tokens(self, username: str, client: str = "mobile") -> dict[str, str]:
        """What a client gets for a user's password."""
        form = {"grant_type": "password", "client_id": client, "scope": "openid"}
        form |= {"username": username, "password": username}
        reply = self._http.post(f"{self.issuer}/protocol/openid-connect/token", data=form)
        assert reply.status_code == httpx.codes.OK, reply.text
        found: dict[str, str] = reply.json()
        return found

    def administer(self, method: str, path: str, content: Any = None) -> Any:
        """What the admin API answers below this realm."""
        return self._send(method, f"{self._url}/admin/realms/{self.name}/{path}", content)

    def _send(self, method: str, url: str, content: Any) -> Any:
        form = {"grant_type": "password", "client_id": "admin-cli"}
        form |= {"username": ADMIN, "password": ADMIN}
        master = f"{self._url}/realms/master/protocol/openid-connect/token"
        granted = self._http.post(master, data=form).raise_for_status().json()
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        reply = self._http.request(method, url, json=content, headers=headers)
        assert reply.is_success, f"{method} {url}: {reply.status_code} {reply.text}"
        return reply.json() if reply.content else None


def one_time_password() -> str:
    """What the second factor of each user of realm.json shows now (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.digest(_OTP_SECRET, counter, sha1)
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4]) & 0x7FFFFFFF) % 10**6:06}"


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT says; its signature is not looked at."""
    part = token.removeprefix("Bearer ").split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
