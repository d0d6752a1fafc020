"""The rules by which a view fails besides its required calls: `refuse` and `require_any`."""

from collections.abc import Mapping
from typing import Final

from bff.engine.answer import Failure, bad_request, require_any_failure
from bff.engine.input_faults import InputFaults
from bff.errors import Unfillable
from bff.model.exchange import Outcome
from bff.plan.expression import Scope, truthy
from bff.plan.plan import Plan
from bff.plan.refusals import CompiledRefusal

REFUSE: Final = "refuse"  # in place of the name of a call, in BFF-Calls and problems


class FailureRules:
    """The failure rules of one request; each refusal is evaluated once.

    Attributes:
        outcomes: an outcome named `refuse`, if a refusal could not be computed; else empty.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._refusals = list(plan.refusals)
        self.outcomes: dict[str, Outcome] = {}

    def evaluate(self, values: Scope, ended: Mapping[str, Outcome]) -> Failure | None:
        """The failure of the view by the calls that have ended; None if there is none so far.

        Args:
            values: of the reserved names, and of the calls that have ended.
            ended: the outcomes of the calls that have ended.
        """
        for refusal in [refusal for refusal in self._refusals if refusal.needs <= ended.keys()]:
            self._refusals.remove(refusal)
            failure = self._refused(refusal, values)
            if failure:
                return failure
        plan = self._plan
        # 1. A view with a write fails as soon as all `require_any` calls have failed, before a
        #    write that waits for them is sent.
        # 2. A view that only reads fails when all calls have ended, so that BFF-Calls has the
        #    outcome of each.
        if plan.require_any and (len(ended) == len(plan.nodes) or not plan.changes_nothing):
            return require_any_failure(plan, ended)
        return None

    def _refused(self, refusal: CompiledRefusal, values: Scope) -> Failure | None:
        try:
            if not truthy(refusal.when.value(values)):
                return None
        except Unfillable as fault:  # the condition may be true: the view must not go on
            return self._not_computable(refusal, fault)
        return Failure(refusal.status, refusal.title)

    def _not_computable(self, refusal: CompiledRefusal, fault: Unfillable) -> Failure:
        """The failure of an uncomputable refusal: 400 if it reads only the request, else 502."""
        faults = InputFaults(self._plan.view)
        faults.expression(refusal.when)
        if faults.errors:
            return bad_request(faults.errors)
        why = f"`{refusal.when.source.shown}`: {fault}"
        self.outcomes[REFUSE] = Outcome("failed", fault.reason, detail=why)
        detail = "a refusal of the view cannot be computed"
        return Failure(fault.status, call=REFUSE, reason=fault.reason, detail=detail)
