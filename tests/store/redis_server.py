"""A real Redis for tests of sessions: set up by a file, alone, as a Sentinel or a Cluster."""

import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import redis

from tests import redis_server

PATIENCE = 10.0
__all__ = ["RedisServer"]


class RedisServer(redis_server.RedisServer):
    """One that runs once it is made; `options` are lines of its file."""

    def __init__(self, folder: Path, *options: str, sentinel_of: int = 0) -> None:
        super().__init__(folder)
        self._file = folder / f"redis-{self.port}.conf"
        lines = [f"port {self.port}", "bind 127.0.0.1", f'dir "{folder}"', 'save ""', *options]
        if sentinel_of:
            lines.append(f"sentinel monitor shop 127.0.0.1 {sentinel_of} 1")
        self._file.write_text("\n".join(lines) + "\n")
        self._kind = ["--sentinel"] if sentinel_of else []
        self._password = next((line.split()[1] for line in lines if "requirepass" in line), None)
        self.start()

    def settings(self) -> list[str]:
        return [str(self._file), *self._kind]

    def stop(self) -> None:
        """End it as a service manager would, or less kindly if it takes long."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        self.kill()

    def tell(self, *command: str):
        """The reply to a command, by a connection that nobody else has."""
        with redis.Redis("127.0.0.1", self.port, password=self._password) as client:
            return client.execute_command(*command)
