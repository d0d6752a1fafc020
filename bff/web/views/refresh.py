"""`refresh`: what a write has changed, read anew and returned in the answer to it."""

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
from bff.web.access.authenticate import Rule, admit
from bff.web.headers import forwardable

_WELL: Final = frozenset({"ok", "skipped"})
_NONE: Final = Answer(None, {})

Run = Callable[[Plan, ViewRequest, Deadline], Answer]


class Fragments:
    """The views that one view's answer brings along.

    Args:
        plans: theirs, by name.
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

    def added(
        self, answer: Answer, view_request: ViewRequest, begun: float, deadline: Deadline
    ) -> Answer:
        """The answer with each fragment under its view's name; null where that did not come.

        Args:
            begun: when the view began, on the conductor's clock.
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
                f"refresh.{name}.{call}": replace(each, started=started + (each.started or 0.0))
                for call, each in inner.items()
                if each.kind not in _WELL
            }
        return replace(answer, value=value, outcomes=outcomes, lease=leases)

    def _fragment(
        self, plan: Plan, view_request: ViewRequest, deadline: Deadline
    ) -> tuple[Answer, Outcome]:
        """Its answer, without a value where it failed, and what became of it."""
        view = plan.view
        rule = Rule(self._frontend, view.access_at(self._frontend), view.csrf, view.require)
        try:
            if rule.access != "public":
                admit(view_request.principal, rule)
        except BffError:
            return _NONE, Outcome("failed", "forbidden")
        headers = forwardable(request.headers, plan.forward)
        given = view_request.scope["params"]
        params = {each.name: given.get(each.name) for each in view.params}
        params |= {each.name: decode(each, []) for each in view.params if params[each.name] is None}
        scope = {**view_request.scope, "params": params, "headers": headers}
        scope.pop("body", None)
        answer = self._run(
            plan, replace(view_request, scope=scope, headers=headers, key=""), deadline
        )
        if answer.failure:
            return _NONE, Outcome("failed", answer.failure.reason or "refused")
        return answer, Outcome("ok")
