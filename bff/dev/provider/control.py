"""Fault injection for the local provider: hang, refuse, fail, rotate keys.

`LocalProvider.control` is for tests; `/oauth/control` is the same over HTTP, for developers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Final

import orjson
from flask import Flask, Response, request

from bff.dev.provider.tokens import Signer
from bff.dev.provider.values import GRANTS, OAuthError

ENDPOINTS: Final = ("metadata", "jwks", "authorize", "token", "revoke", "end_session")
_CONTROLLED: Final = frozenset(ENDPOINTS) | GRANTS.keys()
_MOST_SECONDS: Final = 600.0
_ERRORS: Final = range(400, 600)
_USAGE: Final = 'send an object such as {"token": {"hang": 5}} or {"keys": "rotate"}'


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of an endpoint.

    Args:
        hang: seconds before it answers; without another fault it then answers normally.
        refuse: an OAuth error that it answers with (RFC 6749, sections 4.1.2.1 and 5.2).
        status: an HTTP status that it answers with, without a body.
    """

    hang: float = 0.0
    refuse: str = ""
    status: int = 0


class Control:
    """The faults of one provider, by endpoint or grant type."""

    def __init__(self, signer: Signer) -> None:
        self._signer, self._lock = signer, Lock()
        self._faults: dict[str, Fault] = {}
        self._changed = Event()

    @property
    def faults(self) -> Mapping[str, Fault]:
        """The current faults."""
        with self._lock:
            return dict(self._faults)

    def set(self, what: str, *, hang: float = 0.0, refuse: str = "", status: int = 0) -> None:
        """Set the fault of an endpoint, or of one grant type of the token endpoint.

        Args:
            what: one of `ENDPOINTS` or of `GRANTS`.
            hang: seconds; `refuse` and `status` as in `Fault`. None of the three removes the fault.

        Raises:
            ValueError: there is no such endpoint, or no such fault.
        """
        if what not in _CONTROLLED:
            raise ValueError(f"{what}: should be one of {', '.join(sorted(_CONTROLLED))}, keys")
        if not 0 <= hang <= _MOST_SECONDS:
            raise ValueError(f"hang: should be a number of seconds from 0 to {_MOST_SECONDS:.0f}")
        if status and status not in _ERRORS:
            raise ValueError("status: should be an error's, from 400 to 599")
        if refuse and what not in {"authorize", "token", "revoke", *GRANTS}:
            raise ValueError(f"refuse: {what} answers with no OAuth error; use `status`")
        with self._lock:
            fault = Fault(hang, refuse, status)
            self._faults[what] = fault
            if fault == Fault():
                del self._faults[what]
            self._changed.set()  # wakes hanging requests
            self._changed = Event()

    def reset(self) -> None:
        """Remove all faults; hanging requests are answered."""
        for what in self.faults:
            self.set(what)

    def rotate_keys(self, *, revoke: bool = False) -> None:
        """Sign with a new key.

        Args:
            revoke: whether the previous keys are removed from the JWK Set, so that their tokens are
                rejected; otherwise they stay in it, as in a planned rotation.
        """
        self._signer.rotate(revoke=revoke)

    def apply(self, what: str) -> Response | None:
        """Apply the fault of an endpoint; returns the response to send instead, or None.

        Raises:
            OAuthError: the fault is an OAuth error.
        """
        with self._lock:
            fault, changed = self._faults.get(what, Fault()), self._changed
        if fault.hang:
            changed.wait(fault.hang)
        if fault.refuse:
            raise OAuthError(fault.refuse, "a fault set with /oauth/control")
        return Response(status=fault.status) if fault.status else None


def control_routes(app: Flask, control: Control) -> None:
    """`/oauth/control`: GET lists the faults, PUT sets some, DELETE removes all.

    Web pages cannot use it: JSON from another origin needs CORS, which is not enabled.
    """

    def faults() -> Mapping[str, Any]:
        if request.method == "DELETE":
            control.reset()
        return {name: _written(fault) for name, fault in control.faults.items()}

    def change() -> tuple[Mapping[str, Any], int]:
        if request.mimetype != "application/json":
            return {"error": "Content-Type has to be application/json"}, 415
        try:
            _change(control, request.get_data())
        except ValueError as error:
            return {"error": str(error)}, 400
        return faults(), 200

    app.add_url_rule("/oauth/control", "faults", faults, methods=["GET", "DELETE"])
    app.add_url_rule("/oauth/control", "change", change, methods=["PUT"])


def _change(control: Control, body: bytes) -> None:
    """Set the faults of a document. Raises ValueError where it is invalid."""
    content = orjson.loads(body)
    if not isinstance(content, dict) or not content:
        raise ValueError(_USAGE)
    keys = content.pop("keys", None)
    if keys not in {None, "rotate", "revoke"}:
        raise ValueError("keys: should be `rotate` or `revoke`")
    for name, given in content.items():
        control.set(name, **_fault(given))
    if keys:
        control.rotate_keys(revoke=keys == "revoke")


def _fault(given: Any) -> dict[str, Any]:
    """The arguments of `Control.set` in a document; null removes a fault."""
    types: Mapping[str, Any] = {"hang": (int, float), "refuse": str, "status": int}
    fault: dict[str, Any] = {} if given is None else given
    if not isinstance(fault, dict) or fault.keys() - types.keys():
        raise ValueError(_USAGE)
    for name, value in fault.items():
        if isinstance(value, bool) or not isinstance(value, types[name]):
            raise ValueError(f"{name}: is of the wrong type")  # noqa: TRY004 - of a document
    return fault


def _written(fault: Fault) -> Mapping[str, Any]:
    every = {"hang": fault.hang, "refuse": fault.refuse, "status": fault.status}
    return {name: value for name, value in every.items() if value}
