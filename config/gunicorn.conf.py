"""How gunicorn serves the app: read in its master, again on every SIGHUP.

The configuration is read and checked here, before any fork; workers inherit the checked values
and never read a file. On SIGHUP the new one is rehearsed first: what cannot be loaded, or cannot
become an app, is reported and dropped, and the workers go on with the last good one. The code is
imported here too, so that replacing it on disk changes nothing before a restart.
"""
# ruff: noqa: INP001 - gunicorn reads this file by its path, it is in no package

import math
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from bff.app import create_app
from bff.declare import snapshot
from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.observe.events import told_to
from bff.observe.log import log_at_once, log_events, log_to_stderr
from bff.observe.workers import WorkerEnds, count_ended
from bff.parts import open_spans, remember_state
from bff.upstream.exchanges import chosen
from bff.web import drain
from bff.web.allocator import return_freed_memory
from bff.web.operators import Operators
from bff.web.run_folders import is_of_this_run, run_folder, sweep_folders
from bff.web.worker import MOST_UNREAD

try:
    _settings = Settings.from_env()
except ConfigError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(2)
_PIPE = 60_000  # bytes that a pipe holds, with room to spare
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the heartbeat file, which gunicorn unlinks at once

wsgi_app = "bff.app:create_app()"
proc_name = "bff"
# The app tells the public from the management listener by the socket a request came in on.
bind = [address for address in (_settings.bind, _settings.management_bind) if address]

# Threads, clients and sockets start in the worker, after the fork: never preload.
preload_app = False
worker_class = "bff.web.worker.Worker"  # gthread, and how it closes connections
workers = _settings.workers
threads = _settings.threads
# Idle kept-alive connections count too, so this must be far more than can work at once.
worker_connections = max(1000, 8 * threads)
# Each of them is a descriptor, as is each connection to a service; the rest is for files.
_DESCRIPTORS = worker_connections + threads + 2 * _settings.pool + 256
# Whatever a library leaks ends with its process, and not all processes end at once. One that ends
# takes no more connections, and answers those that it has.
max_requests = _settings.max_requests
max_requests_jitter = max_requests // 10
# Longer than nginx keeps an idle connection (60 s), so that it is nginx that closes it: otherwise
# it sends a request into a connection that is just going away.
keepalive = 75
# A view ends by its own deadline; this is for a worker that is stuck altogether. It is more where a
# view may take longer: see _allow_for_deadlines.
timeout = 30

# As nginx: a longer request line, or a larger header, it has refused.
limit_request_line = 8190
limit_request_field_size = 16_380
# Who may say that the client came by https: nginx on this host, unless declared.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
# Only the one header that nginx overwrites, and nobody sets WSGI's own variables.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarder_headers = ""

control_socket_disable = True
accesslog = None  # the app logs requests itself, without their queries
# A heartbeat on a slow or read-only disk would look like a stuck worker.
worker_tmp_dir = str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None


_OF_THIS_RUN = ("BFF_CACHE_FOLDER", "PROMETHEUS_MULTIPROC_DIR")  # folders of a master's own


def on_starting(server: Arbiter) -> None:
    """Have the configuration before a socket is opened; a bad one ends the start with 2."""
    try:
        _allow_for_deadlines(server)  # of what `bff serve` has taken, or what is taken now
        open_spans(_settings)
        _remember()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    _allow_descriptors(server)
    # what workers keep they share, so that what one invalidates the others keep no longer
    for place in {None, worker_tmp_dir}:
        sweep_folders(place)  # of masters that were killed
    if "BFF_CACHE_FOLDER" not in os.environ:
        os.environ["BFF_CACHE_FOLDER"] = str(run_folder("cache"))
    # What workers count they share, too. prometheus_client asks for this when it is imported, and
    # what imports it is imported here, or each worker would do so once more.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(run_folder("metrics", worker_tmp_dir))
    import bff.observe.metrics  # noqa: F401

    log_at_once()
    server.log.error_log.addFilter(WorkerEnds(told_to([log_events, count_ended])))
    server.handle_term = partial(_drain, server, server.handle_term)
    _log_exchange(server)


def _allow_descriptors(server: Arbiter) -> None:
    """Allow as many descriptors as are needed; where that may not be, take fewer connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= _DESCRIPTORS:
        return
    allowed = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < _DESCRIPTORS:
        fewer = max(threads, worker_connections - (_DESCRIPTORS - allowed))
        server.cfg.set("worker_connections", fewer)
        server.log.warning(
            "%s descriptors are wanted, and %s allowed (ulimit -Hn): taking %s connections",
            *(_DESCRIPTORS, allowed, fewer),
        )


def on_exit(_server: Arbiter) -> None:
    """Leave nothing of this run behind."""
    for folder in (os.environ.get(name, "") for name in _OF_THIS_RUN):
        if is_of_this_run(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _drain(server: Arbiter, stop: Callable[[], None]) -> None:
    """Say that no more requests are wanted, and stop when whoever sends them has had time to see.

    The workers answer as before in the meantime, and finish what they have when they stop.
    """
    drain.begin()
    if _settings.drain:
        server.log.info("not ready any more; stopping in %s s", _settings.drain)
        time.sleep(_settings.drain)
    stop()


def post_fork(_server: Arbiter, worker: Worker) -> None:
    """Have the worker log as JSON, keep the management socket, and know how large bodies may be."""
    return_freed_memory()
    log_to_stderr()
    managed = [each for each in worker.sockets if _is_managed(each)]
    worker.sockets = [each for each in worker.sockets if each not in managed]
    worker.management = managed
    config = snapshot.current(_settings.config).config
    limits = [each.max_body for each in (*config.views, *config.relays)]
    worker.most_unread = max([MOST_UNREAD, *limits])


def post_worker_init(worker: Worker) -> None:
    """Answer operators on threads of their own, however busy the others are."""
    for each in worker.management:
        Operators(each.sock, worker.wsgi).start()


def _is_managed(listener: object) -> bool:
    name = listener.getsockname()  # type: ignore[attr-defined] # gunicorn has no types
    return isinstance(name, tuple) and name[1] == _settings.management_port


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Add what a worker has counted to that of those before it."""
    from bff.observe.shares import bury

    try:
        bury(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]), worker.pid)
    except Exception:  # an exception here would end gunicorn, and the service with it
        server.log.exception("what a worker has counted is lost")


def on_reload(server: Arbiter) -> None:
    """Take the new configuration if it is good, keep the old one if it is not."""
    problems = _rehearsed()
    if problems:
        snapshot.refuse(problems)
        sys.stderr.write(f"{problems}\n")
        server.log.error("the new configuration is not taken: serving the last good one")
        _allow_for_deadlines(server)
        return
    try:
        _take(server)
    except Exception:  # an exception here would end gunicorn, and the service with it
        server.log.exception("the new configuration changed while it was read and is not taken")
        _allow_for_deadlines(server)
    else:
        server.log.info("the new configuration is taken")


def _take(server: Arbiter) -> None:
    snapshot.take(_settings.config)
    _remember()
    _allow_for_deadlines(server)
    _log_exchange(server)


def _log_exchange(server: Arbiter) -> None:
    """Log which exchange carries requests to services."""
    declared = snapshot.current(_settings.config).config.exchange
    server.log.info("requests to services are carried by: %s", chosen(declared))


def _remember() -> None:
    """Know the files of sessions here, so that a worker that starts later takes no others."""
    remember_state(snapshot.current(_settings.config).config, _settings.state)


def _allow_for_deadlines(server: Arbiter) -> None:
    """Let a worker finish the slowest view before it is stopped, or taken for stuck."""
    longest = max(
        (view.timeout for view in snapshot.current(_settings.config).config.views), default=0.0
    )
    slowest = math.ceil(longest) + 5
    server.cfg.set("graceful_timeout", slowest)
    server.cfg.set("timeout", max(timeout, slowest))
    server.timeout = server.cfg.timeout  # read from there before this file is asked


def _rehearsed() -> str:
    """Have a child load the configuration and build the app of it; why it cannot, or nothing.

    gunicorn ends the whole service when a worker cannot boot, so that is tried first where it
    can do no harm: in a child, which also leaves nothing half loaded behind in the master.
    """
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        _rehearse(tell)
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        problems = pipe.read().decode()
    good = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return "" if good else problems or "it could not be loaded"


def _rehearse(tell: int) -> NoReturn:
    """In the child: load, build, say what is wrong, and end."""
    signal.alarm(60)  # a load that hangs must not hold the master, which tends the workers
    try:
        snapshot.take(_settings.config)
        create_app()
    except ConfigError as error:
        os.write(tell, str(error).encode()[:_PIPE])
    except BaseException:  # noqa: BLE001 - whatever it is, this child must end here
        os.write(tell, traceback.format_exc().encode()[:_PIPE])
    else:
        os._exit(0)
    os._exit(1)
