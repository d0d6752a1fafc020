"""Whether a view fails though no required call has: its refusals, and `require_any`."""

from collections.abc import Mapping
from typing import Final

from bff.engine.answer import Failure, bad_request, require_any_failure
from bff.engine.input_faults import InputFaults
from bff.errors import Unfillable
from bff.model.exchange import Outcome
from bff.plan.expression import Scope, truthy
from bff.plan.plan import Plan
from bff.plan.refusals import CompiledRefusal

REFUSE: Final = "refuse"  # what refusals are called where calls are named


class FailureRules:
    """The refusals of one request that are still to be judged.

    Attributes:
        outcomes: of the refusals, where one of them could not be computed.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._refusals = list(plan.refusals)
        self.outcomes: dict[str, Outcome] = {}

    def evaluate(self, values: Scope, ended: Mapping[str, Outcome]) -> Failure | None:
        """Why the view fails, as far as that can be known by now.

        Args:
            values: of the reserved names, and of the calls that have ended.
            ended: the outcomes of these.
        """
        for refusal in [each for each in self._refusals if each.needs <= ended.keys()]:
            self._refusals.remove(refusal)
            failure = self._refused(refusal, values)
            if failure:
                return failure
        plan = self._plan
        # In time for a write that waits for these calls. In a view that only reads all calls end
        # first, so that BFF-Calls says how each of them did.
        if plan.require_any and (len(ended) == len(plan.nodes) or not plan.changes_nothing):
            return require_any_failure(plan, ended)
        return None

    def _refused(self, refusal: CompiledRefusal, values: Scope) -> Failure | None:
        try:
            if not truthy(refusal.when.value(values)):
                return None
        except Unfillable as fault:  # it might be true
            return self._not_computable(refusal, fault)
        return Failure(refusal.status, refusal.title)

    def _not_computable(self, refusal: CompiledRefusal, fault: Unfillable) -> Failure:
        """The failure of the view: the client's error, where only its values are read."""
        faults = InputFaults(self._plan.view)
        faults.expression(refusal.when)
        if faults.errors:
            return bad_request(faults.errors)
        why = f"`{refusal.when.source.shown}`: {fault}"
        self.outcomes[REFUSE] = Outcome("failed", fault.reason, detail=why)
        detail = "a refusal of the view cannot be computed"
        return Failure(fault.status, call=REFUSE, reason=fault.reason, detail=detail)
