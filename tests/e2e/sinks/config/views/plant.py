"""Writes a word wherever this process can write."""

import logging
import sys
import warnings

import bff
from bff.observe.events import Audited
from bff.observe.log import log_events, logger

LIBRARIES = (
    *("authlib", "flask_cors", "httpcore", "httpx", "joserfc", "redis"),
    "werkzeug",
)


@bff.view(
    get="/plant/{word}",
    access="public",
    params={"word": {"type": "string"}},
    reads=["params.word"],
    calls={"told": {"get": "users:/token", "optional": True}},
)
def plant(ask):
    word = ask["params"]["word"]
    logger.warning("log %s", word)
    log_events(Audited("refused", reason=f"audit {word}"))
    server = logging.getLogger("gunicorn.error")
    server.error("server %s", word)
    try:
        {}[word]
    except KeyError:
        logger.exception("log of an exception")
        server.exception("server's of an exception")
    for name in LIBRARIES:
        for level in (logging.DEBUG, logging.ERROR):
            logging.getLogger(name).log(level, "%s %s", name, word)
    for place in (sys.stdout, sys.stderr):
        place.write(f"{place.name} {word}\n")
        place.flush()
    warnings.warn(f"warning {word}", stacklevel=1)
    return {"answer": word}
