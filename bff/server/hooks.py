"""gunicorn's hooks: what the master and the workers do when they start, reload and end."""

import math
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.workers.base import Worker

from bff.declare import snapshot
from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.observe.events import notify_all
from bff.observe.log import log_events, log_synchronously, log_to_stderr
from bff.observe.worker_exits import WorkerExitFilter, count_ended
from bff.parts import open_spans, remember_state
from bff.server.allocator import return_freed_memory
from bff.server.rehearsal import rehearse
from bff.server.run_folders import is_of_this_run, run_folder, sweep_folders
from bff.server.settings import descriptors_needed
from bff.server.worker import MOST_UNREAD
from bff.upstream.exchanges import chosen
from bff.web.management import drain
from bff.web.management.listener import Operators

_CACHE: Final = "BFF_CACHE_FOLDER"
_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
_MARGIN: Final = 5  # seconds that a worker may take longer than its slowest view


class Hooks:
    """The hooks of one server.

    Args:
        settings: how the process runs.
        config: gunicorn's settings, in which `install` puts the hooks.
    """

    def __init__(self, settings: Settings, config: Config) -> None:
        self._settings, self._config = settings, config
        self._timeout: int = config.timeout
        self._graceful_timeout: int = config.graceful_timeout

    def install(self) -> None:
        """Have gunicorn call them."""
        for hook in (
            *(self.on_starting, self.on_reload, self.on_exit, self.child_exit),
            *(self.post_fork, self.post_worker_init),
        ):
            self._config.set(hook.__name__, hook)

    # -- in the master ---------------------------------------------------------------------------

    def on_starting(self, server: Arbiter) -> None:
        """Load the configuration before a socket is opened; a bad one ends the start with 2."""
        try:
            self._allow_for_deadlines(server)  # of what `bff serve` has taken, or is taken now
            open_spans(self._settings)
            self._remember_state()
        except ConfigError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(2)
        self._raise_descriptor_limit(server)
        self._make_folders()
        import bff.observe.metrics  # noqa: F401  # prometheus_client asks for its folder now

        log_synchronously()
        server.log.error_log.addFilter(WorkerExitFilter(notify_all([log_events, count_ended])))
        server.handle_term = partial(self._drain, server, server.handle_term)
        server.handle_hup = partial(self._reload, server, server.handle_hup)
        self._log_exchange(server)

    def on_reload(self, server: Arbiter) -> None:
        """Take the new configuration if it is good, keep the old one if it is not."""
        problems = rehearse(self._settings)
        if problems:
            snapshot.refuse(problems)
            sys.stderr.write(f"{problems}\n")
            server.log.error("the new configuration is not taken: serving the last good one")
            return
        try:
            snapshot.take(self._settings.config)
            self._allow_for_deadlines(server)
            self._remember_state()
            self._log_exchange(server)
        except Exception:  # an exception here would end gunicorn, and the service with it
            server.log.exception("the new configuration changed while it was read and is not taken")
        else:
            server.log.info("the new configuration is taken")

    def child_exit(self, server: Arbiter, worker: Worker) -> None:
        """Add what a worker has counted to the counts of those before it."""
        from bff.observe.multiprocess import merge_ended

        try:
            merge_ended(Path(os.environ[_METRICS]), worker.pid)
        except Exception:  # an exception here would end gunicorn, and the service with it
            server.log.exception("what a worker has counted is lost")

    def on_exit(self, _server: Arbiter) -> None:
        """Remove the folders of this run."""
        for folder in (os.environ.get(name, "") for name in (_CACHE, _METRICS)):
            if is_of_this_run(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _drain(self, server: Arbiter, stop: Callable[[], None]) -> None:
        """Become unready, and stop BFF_DRAIN seconds later, when load balancers have noticed.

        The workers answer as before in the meantime, and finish their requests when they stop.
        """
        drain.begin()
        if self._settings.drain:
            server.log.info("not ready any more; stopping in %s s", self._settings.drain)
            time.sleep(self._settings.drain)
        stop()

    def _reload(self, server: Arbiter, reload: Callable[[], None]) -> None:
        """Reload; what gunicorn cannot open again, such as a log or a pid file, ends nothing."""
        try:
            reload()
        except Exception:  # it would end gunicorn, and the service with it
            server.log.exception("the reload is not complete: the workers that run go on")

    def _remember_state(self) -> None:
        """Know the file of sessions here, so that a worker that starts later takes no other."""
        current = snapshot.current(self._settings.config)
        remember_state(current.config, self._settings.state)

    def _allow_for_deadlines(self, server: Arbiter) -> None:
        """Let a worker finish the slowest view before it is stopped, or taken for stuck."""
        views = snapshot.current(self._settings.config).config.views
        slowest = math.ceil(max((view.timeout for view in views), default=0.0)) + _MARGIN
        server.cfg.set("graceful_timeout", max(self._graceful_timeout, slowest))
        # 0 switches it off
        server.cfg.set("timeout", max(self._timeout, slowest) if self._timeout else 0)
        server.timeout = server.cfg.timeout  # which gunicorn has read before this hook

    def _raise_descriptor_limit(self, server: Arbiter) -> None:
        """Allow the descriptors that a worker needs, or else take fewer connections of clients."""
        needed = descriptors_needed(self._config, self._settings.pool)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= needed:
            return
        allowed = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            fewer = max(server.cfg.threads, server.cfg.worker_connections - (needed - allowed))
            server.cfg.set("worker_connections", fewer)
            server.log.warning(
                "%s descriptors are wanted, and %s allowed (ulimit -Hn): taking %s connections",
                *(needed, allowed, fewer),
            )

    def _log_exchange(self, server: Arbiter) -> None:
        """Log which exchange sends requests to services."""
        declared = snapshot.current(self._settings.config).config.exchange
        server.log.info("requests to services are carried by: %s", chosen(declared))

    def _make_folders(self) -> None:
        """Make the folders in which workers share cached replies and what they count."""
        memory = self._config.worker_tmp_dir
        for place in {None, memory}:
            sweep_folders(place)  # of masters that were killed
        if _CACHE not in os.environ:
            os.environ[_CACHE] = str(run_folder("cache"))
        os.environ[_METRICS] = str(run_folder("metrics", memory))

    # -- in a worker -----------------------------------------------------------------------------

    def post_fork(self, _server: Arbiter, worker: Worker) -> None:
        """Log as JSON, set the management socket aside, and know how large bodies may be."""
        return_freed_memory()
        log_to_stderr()
        managed = [each for each in worker.sockets if self._is_managed(each)]
        worker.sockets = [each for each in worker.sockets if each not in managed]
        worker.management = managed
        config = snapshot.current(self._settings.config).config
        limits = [view.max_body for view in config.views]
        limits += [relay.max_body for relay in config.relays]
        worker.most_unread = max([MOST_UNREAD, *limits])

    def post_worker_init(self, worker: Worker) -> None:
        """Answer operators on threads of their own, however busy the others are."""
        for each in worker.management:
            Operators(each.sock, worker.wsgi).start()

    def _is_managed(self, listener: object) -> bool:
        name = listener.getsockname()  # type: ignore[attr-defined] # gunicorn has no types
        return isinstance(name, tuple) and name[1] == self._settings.management_port
