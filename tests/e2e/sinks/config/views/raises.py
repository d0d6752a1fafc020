"""Somebody's code that puts what it knows into what it raises."""

import sys

import bff


def _cause(token):
    try:
        {}[token]
    except KeyError as error:
        raise ValueError(f"because of {token}") from error


@bff.view(
    get="/raises/{how}",
    params={"how": {"type": "string"}},
    reads=["params.how"],
    calls={"told": {"get": "users:/token"}},
)
def raises(ask):
    told = ask.start("told").value["token"]
    how = ask["params"]["how"]
    if how == "error":
        raise RuntimeError(told)
    if how == "cause":
        _cause(told)
    if how == "group":
        raise ExceptionGroup(told, [ValueError(told), KeyError(told)])
    if how == "exit":
        sys.exit(told)
    if how == "interrupt":
        raise KeyboardInterrupt(told)
    if how == "type":
        return {told: {told}}
    return {"how": how}
