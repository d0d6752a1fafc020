"""The commands of docs/deploying.md, run in their order as somebody new would."""

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ports import free_port

WITHIN = 600  # seconds: it installs everything anew
PORTS = ["6390", "6391", "8444", "8443", "8081", *map(str, range(9001, 9007))]


def commands(root: Path) -> str:
    page = (root / "docs/deploying.md").read_text()
    section = page.partition("## Three replicas, by hand")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def elsewhere(text: str, folder: Path) -> str:
    """The same on ports that are free, in a folder of the test's own."""
    text = text.replace("$PWD/build/by-hand", str(folder))
    for port in PORTS:
        text = re.sub(rf"\b{port}\b", str(free_port()), text)
    for stem in ("127.0.0.1:800", "127.0.0.1:910"):
        ports = [str(free_port()) for _ in range(3)]
        for n, port in enumerate(ports, 1):
            text = text.replace(f"{stem}{n}", f"127.0.0.1:{port}")
        text = text.replace(f"{stem}$n", f"127.0.0.1:$(echo {' '.join(ports)} | cut -d ' ' -f $n)")
    if os.geteuid() == 0:  # whose nginx gives its processes to somebody without rights
        text = text.replace("nginx -e stderr", "nginx -g 'user root;' -e stderr")
    return text


@pytest.mark.large
def test_three_replicas_come_up_and_one_may_go(root: Path, tmp_path: Path) -> None:
    script = elsewhere(commands(root), tmp_path)
    kept = ("HOME", "LANG", "PATH", "TMPDIR")
    environ = {
        name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")
    }
    status, output = ran(f"set -eu\n{script}\nwait\n", root, environ)
    logs = "\n".join(f"{log.name}: {log.read_text()[-600:]}" for log in tmp_path.glob("*.log"))
    assert status == 0, output + logs
    assert "views are good" in output
    assert '"facets"' in output
    assert re.search(r"^ *20 ready$", output, re.MULTILINE), output + logs


def ran(script: str, root: Path, environ: dict[str, str]) -> tuple[int, str]:
    """What becomes of a script, and what it said; nothing that it has started is left."""
    with subprocess.Popen(  # noqa: S603 - what our own page says
        ["/bin/bash", "-c", script],
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=WITHIN)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output
