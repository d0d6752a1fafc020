"""The hooks of gunicorn: actions of the master and the workers on start, reload and exit."""

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
from bff.server.run_folders import is_of_this_run, run_folder, sweep_folders
from bff.server.settings import descriptors_needed
from bff.server.trial_load import try_configuration
from bff.server.worker import MOST_UNREAD
from bff.upstream.exchanges import exchange_kind
from bff.web.management import drain
from bff.web.management.listener import ManagementServer

_CACHE: Final = "BFF_CACHE_FOLDER"
_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
_MARGIN: Final = 5  # seconds, added to the timeout of the slowest view


class Hooks:
    """The hooks of one server.

    Args:
        settings: how the process runs.
        config: the settings of gunicorn, in which `install` sets the hooks.
    """

    def __init__(self, settings: Settings, config: Config) -> None:
        self._settings, self._config = settings, config
        self._timeout: int = config.timeout
        self._graceful_timeout: int = config.graceful_timeout

    def install(self) -> None:
        """Set the hooks in the settings of gunicorn."""
        for hook in (
            *(self.on_starting, self.on_reload, self.on_exit, self.child_exit),
            *(self.post_fork, self.post_worker_init),
        ):
            self._config.set(hook.__name__, hook)

    # -- in the master ---------------------------------------------------------------------------

    def on_starting(self, server: Arbiter) -> None:
        """Load the configuration before sockets are opened; if it is invalid, exit with 2."""
        try:
            self._allow_for_deadlines(server)  # loads the configuration, unless `bff serve` has
            open_spans(self._settings)
            self._remember_state()
        except ConfigError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(2)
        self._raise_descriptor_limit(server)
        self._make_folders()
        import bff.observe.metrics  # noqa: F401  # prometheus_client reads its folder on import

        log_synchronously()
        server.log.error_log.addFilter(WorkerExitFilter(notify_all([log_events, count_ended])))
        server.handle_term = partial(self._drain, server, server.handle_term)
        server.handle_hup = partial(self._reload, server, server.handle_hup)
        self._log_exchange(server)

    def on_reload(self, server: Arbiter) -> None:
        """Load the new configuration; if it is invalid, the previous one stays in use."""
        problems = try_configuration(self._settings)
        if problems:
            snapshot.record_rejection(problems)
            sys.stderr.write(f"{problems}\n")
            server.log.error("the new configuration is invalid: the previous one stays in use")
            return
        try:
            snapshot.load(self._settings.config)
            self._allow_for_deadlines(server)
            self._remember_state()
            self._log_exchange(server)
        except Exception:  # an exception here would end gunicorn, and the service with it
            server.log.exception(
                "the new configuration changed while it was loaded: the previous one stays in use"
            )
        else:
            server.log.info("the new configuration is in use")

    def child_exit(self, server: Arbiter, worker: Worker) -> None:
        """Add the metrics of a worker that has ended to those of earlier ones."""
        from bff.observe.multiprocess import merge_ended

        try:
            merge_ended(Path(os.environ[_METRICS]), worker.pid)
        except Exception:  # an exception here would end gunicorn, and the service with it
            server.log.exception("the metrics of a worker that has ended are lost")

    def on_exit(self, _server: Arbiter) -> None:
        """Remove the folders of this run."""
        for folder in (os.environ.get(name, "") for name in (_CACHE, _METRICS)):
            if is_of_this_run(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _drain(self, server: Arbiter, stop: Callable[[], None]) -> None:
        """Become unready, and stop after BFF_DRAIN seconds, once load balancers have noticed.

        Until then the workers accept requests; when they stop, they finish those that they have.
        """
        drain.begin()
        if self._settings.drain:
            server.log.info("draining: unready now, stopping in %s s", self._settings.drain)
            time.sleep(self._settings.drain)
        stop()

    def _reload(self, server: Arbiter, reload: Callable[[], None]) -> None:
        """Reload; an error, such as a log or pid file that cannot be opened, is logged only."""
        try:
            reload()
        except Exception:  # an exception here would end gunicorn, and the service with it
            server.log.exception("the reload is not complete: the running workers stay")

    def _remember_state(self) -> None:
        """Record which session file is in use, so that a worker that starts later uses the same."""
        current = snapshot.current(self._settings.config)
        remember_state(current.config, self._settings.state)

    def _allow_for_deadlines(self, server: Arbiter) -> None:
        """Raise the timeouts of gunicorn so that a worker can finish the slowest view."""
        views = snapshot.current(self._settings.config).config.views
        slowest = math.ceil(max((view.timeout for view in views), default=0.0)) + _MARGIN
        server.cfg.set("graceful_timeout", max(self._graceful_timeout, slowest))
        # 0 disables the timeout
        server.cfg.set("timeout", max(self._timeout, slowest) if self._timeout else 0)
        server.timeout = server.cfg.timeout  # gunicorn has copied it before this hook

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
        server.log.info("requests to services are carried by: %s", exchange_kind(declared))

    def _make_folders(self) -> None:
        """Make the folders in which workers share cached replies and metrics."""
        memory = self._config.worker_tmp_dir
        for place in {None, memory}:
            sweep_folders(place)  # of masters that were killed
        if _CACHE not in os.environ:
            os.environ[_CACHE] = str(run_folder("cache"))
        os.environ[_METRICS] = str(run_folder("metrics", memory))

    # -- in a worker -----------------------------------------------------------------------------

    def post_fork(self, _server: Arbiter, worker: Worker) -> None:
        """Log as JSON, separate the management socket, and set the limit of unread bodies."""
        return_freed_memory()
        log_to_stderr()
        managed = [sock for sock in worker.sockets if self._is_managed(sock)]
        worker.sockets = [sock for sock in worker.sockets if sock not in managed]
        worker.management = managed
        config = snapshot.current(self._settings.config).config
        limits = [view.max_body for view in config.views]
        limits += [relay.max_body for relay in config.relays]
        worker.most_unread = max([MOST_UNREAD, *limits])

    def post_worker_init(self, worker: Worker) -> None:
        """Serve the management listener on its own threads, independent of the request threads."""
        for listener in worker.management:
            ManagementServer(listener.sock, worker.wsgi).start()

    def _is_managed(self, listener: object) -> bool:
        name = listener.getsockname()  # type: ignore[attr-defined] # gunicorn has no types
        return isinstance(name, tuple) and name[1] == self._settings.management_port
