"""The commands of docs/deploying.md, run in their order as somebody new would."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from stack.here import free_port

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
    text = f"set -eum\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}\nwait\n"
    done = subprocess.run(  # noqa: S603
        ["/bin/bash", "-c", text],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    logs = "\n".join(f"{log.name}: {log.read_text()[-600:]}" for log in tmp_path.glob("*.log"))
    assert "views are good" in done.stdout, done.stderr + logs
    assert '"facets"' in done.stdout, done.stdout + done.stderr + logs
    assert re.search(r"^ *20 ready$", done.stdout, re.MULTILINE), done.stdout + done.stderr + logs
