"""A real Redis for tests: alone, as a Sentinel or as a Cluster of one."""

import signal
import socket
import subprocess
from pathlib import Path
from time import monotonic, sleep

import redis

PATIENCE = 10.0


class RedisServer:
    """A process of redis-server on a port of its own, which it keeps when it is started again."""

    def __init__(self, folder: Path, *options: str, sentinel_of: int = 0) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._file = folder / f"redis-{self.port}.conf"
        lines = [f"port {self.port}", "bind 127.0.0.1", f'dir "{folder}"', 'save ""', *options]
        if sentinel_of:
            lines.append(f"sentinel monitor shop 127.0.0.1 {sentinel_of} 1")
        self._file.write_text("\n".join(lines) + "\n")
        self._kind = ["--sentinel"] if sentinel_of else []
        self._password = next((line.split()[1] for line in lines if "requirepass" in line), None)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Have it run, and wait until it answers."""
        command = ["redis-server", str(self._file), *self._kind]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdout=quiet)  # noqa: S603  (a command of our own)
        until = monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "redis-server has ended"
            assert monotonic() < until, "redis-server does not answer"
            sleep(0.01)

    def stop(self) -> None:
        """End it as a service manager would, or less kindly if it takes long."""
        process, self._process = self._process, None
        if process:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE)

    def kill(self) -> None:
        """End it without a word to anybody."""
        process, self._process = self._process, None
        assert process
        process.kill()
        process.wait(PATIENCE)

    def hang(self) -> None:
        """Have it accept connections, and answer nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def tell(self, *command: str):
        """The reply to a command, by a connection that nobody else has."""
        with redis.Redis("127.0.0.1", self.port, password=self._password) as client:
            return client.execute_command(*command)

    def _answers(self) -> bool:
        try:
            return bool(self.tell("PING"))
        except redis.RedisError:
            return False


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
