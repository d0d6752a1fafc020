"""Problems of a configuration as SARIF 2.1.0 (OASIS), which code review tools display."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from bff.declare.rules import RULES
from bff.model.problem import Problem


def sarif(problems: Iterable[Problem], *, strict: bool) -> dict[str, Any]:
    """One run of `bff check` as SARIF.

    Args:
        strict: whether warnings count as errors.
    """
    found = list(problems)
    ids = sorted({problem.id for problem in found})
    rules = [
        {
            "id": name,
            "shortDescription": {"text": RULES[name].title},
            "fullDescription": {"text": RULES[name].why},
            "help": {"text": f"{RULES[name].why}\n\nInstead: {RULES[name].instead}"},
        }
        for name in ids
    ]
    driver = {"name": "bff check", "version": version("bff-proxy"), "rules": rules}
    results = [_result(problem, ids.index(problem.id), strict=strict) for problem in found]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
        ],
    }


def _result(problem: Problem, index: int, *, strict: bool) -> dict[str, Any]:
    hint = f"\n{problem.hint}" if problem.hint else ""
    place = problem.place
    return {
        "ruleId": problem.id,
        "ruleIndex": index,
        "level": "warning" if problem.warning and not strict else "error",
        "message": {"text": f"{problem.message}{hint}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.file},
                    "region": {"startLine": place.line, "startColumn": place.column},
                }
            }
        ],
    }
