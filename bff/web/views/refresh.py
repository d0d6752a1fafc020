"""`refresh`: after a write, other views are conducted and returned in the same answer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from flask import request

from bff.engine.answer import Answer, ViewRequest
from bff.errors import BffError
from bff.model.exchange import Deadline, Outcome
from bff.model.frontend import Frontend
from bff.plan.parameters import decode
from bff.plan.plan import Plan
from bff.web.access.authenticate import AccessRule, authorize
from bff.web.headers import forwardable

_SUCCESS: Final = frozenset({"ok", "skipped"})
_NO_ANSWER: Final = Answer(None, {})

Run = Callable[[Plan, ViewRequest, Deadline], Answer]


class Fragments:
    """The views that one view refreshes.

    Args:
        plans: of these views, by name.
        run: conducts a plan.
        now: the conductor's clock.
    """

    def __init__(
        self,
        plans: Mapping[str, Plan],
        frontend: Frontend,
        run: Run,
        now: Callable[[], float],
    ) -> None:
        self._plans, self._frontend, self._run, self._now = plans, frontend, run, now

    def add_to(
        self, answer: Answer, view_request: ViewRequest, begun: float, deadline: Deadline
    ) -> Answer:
        """The answer with the value of each view under its name; null for a view that failed.

        Args:
            begun: the start of the view, on the conductor's clock.
        """
        if answer.failure or not self._plans:
            return answer
        value = answer.value if isinstance(answer.value, dict) else {"answer": answer.value}
        value, outcomes, leases = dict(value), dict(answer.outcomes), [answer.lease]
        for name, plan in self._plans.items():
            started = self._now() - begun
            part, own = self._fragment(plan, view_request, deadline)
            value[name], inner = part.value, part.outcomes
            leases.append(part.lease)
            took = self._now() - begun - started
            outcomes[f"refresh.{name}"] = replace(own, started=started, took=took)
            outcomes |= {
                f"refresh.{name}.{call}": replace(
                    outcome, started=started + (outcome.started or 0.0)
                )
                for call, outcome in inner.items()
                if outcome.kind not in _SUCCESS
            }
        return replace(answer, value=value, outcomes=outcomes, lease=leases)

    def _fragment(
        self, plan: Plan, view_request: ViewRequest, deadline: Deadline
    ) -> tuple[Answer, Outcome]:
        """The answer of one view, without a value if it failed, and its outcome."""
        view = plan.view
        rule = AccessRule(self._frontend, view.access_at(self._frontend), view.csrf, view.require)
        try:
            if rule.access != "public":
                authorize(view_request.principal, rule)
        except BffError:
            return _NO_ANSWER, Outcome("failed", "forbidden")
        headers = forwardable(request.headers, plan.forward)
        given = view_request.scope["params"]
        params = {param.name: given.get(param.name) for param in view.params}
        missing = [param for param in view.params if params[param.name] is None]
        params |= {param.name: decode(param, []) for param in missing}
        scope = {**view_request.scope, "params": params, "headers": headers}
        scope.pop("body", None)
        own = replace(view_request, scope=scope, headers=headers, key="")
        answer = self._run(plan, own, deadline)
        if answer.failure:
            return _NO_ANSWER, Outcome("failed", answer.failure.reason or "refused")
        return answer, Outcome("ok")
