"""Makes the local provider misbehave while it runs: hang, refuse, break, rotate its keys.

`LocalProvider.control` is for tests; `/oauth/control` is the same over HTTP, for developers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Final

import orjson
from flask import Flask, Response, request

from bff.dev.provider.tokens import Signer
from bff.dev.provider.values import GRANTS, Refused

ENDPOINTS: Final = ("metadata", "jwks", "authorize", "token", "revoke", "end_session")
_CONTROLLED: Final = frozenset(ENDPOINTS) | GRANTS.keys()
_MOST_SECONDS: Final = 600.0
_ERRORS: Final = range(400, 600)
_USAGE: Final = 'send an object such as {"token": {"hang": 5}} or {"keys": "rotate"}'


@dataclass(frozen=True, slots=True)
class Fault:
    """What an endpoint does instead of what it should.

    Args:
        hang: seconds before it answers; it then goes on as if nothing had been.
        refuse: an OAuth error that it answers with (RFC 6749, sections 4.1.2.1 and 5.2).
        status: an HTTP status that it answers with, and no body.
    """

    hang: float = 0.0
    refuse: str = ""
    status: int = 0


class Control:
    """The faults of one provider, by the name of an endpoint or of a grant type."""

    def __init__(self, signer: Signer) -> None:
        self._signer, self._lock = signer, Lock()
        self._faults: dict[str, Fault] = {}
        self._changed = Event()

    @property
    def faults(self) -> Mapping[str, Fault]:
        """The faults that are set."""
        with self._lock:
            return dict(self._faults)

    def set(self, what: str, *, hang: float = 0.0, refuse: str = "", status: int = 0) -> None:
        """Have an endpoint, or one grant type of the token endpoint, do something else.

        Args:
            what: one of `ENDPOINTS` or of `GRANTS`.
            hang: seconds; `refuse` and `status` as in `Fault`. None of the three ends the fault.

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
            self._changed.set()  # what hangs looks again
            self._changed = Event()

    def reset(self) -> None:
        """End all faults; requests that hang are answered."""
        for what in self.faults:
            self.set(what)

    def rotate_keys(self, *, revoke: bool = False) -> None:
        """Sign with a new key.

        Args:
            revoke: whether the keys before it are published no more, so that no token signed with
                them counts; else they stay beside the new one, as in a planned rotation.
        """
        self._signer.rotate(revoke=revoke)

    def apply(self, what: str) -> Response | None:
        """Do what a fault says; the answer to give instead, if there is one.

        Raises:
            Refused: the OAuth error that it says.
        """
        with self._lock:
            fault, changed = self._faults.get(what, Fault()), self._changed
        if fault.hang:
            changed.wait(fault.hang)
        if fault.refuse:
            raise Refused(fault.refuse, "a fault that was set by /oauth/control")
        return Response(status=fault.status) if fault.status else None


def control_routes(app: Flask, control: Control) -> None:
    """`/oauth/control`: GET lists the faults, PUT sets some, DELETE ends all.

    A web page cannot use it: JSON of another origin needs CORS, which is not given.
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
    """Set what a document says. Raises ValueError where it says nothing that can be done."""
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
    """The arguments of `Control.set` in a document; null ends a fault."""
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
