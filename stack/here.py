"""Where the parts are on one machine: their names become loopback, their paths folders of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import create_server

from stack.compose import Part

_ITSELF = ("0.0.0.0", "127.0.0.1")  # what a container says when it means itself


@dataclass(frozen=True, slots=True)
class Here:
    """How what a part reads in its container reads here.

    Args:
        ports: of each part, by the port in its container.
        folders: of each part, by the path in its container.
    """

    ports: Mapping[str, Mapping[int, int]]
    folders: Mapping[str, Mapping[str, Path]]
    names: Mapping[str, str]

    def text(self, part: str, text: str) -> str:
        """A text of a part, with addresses, paths and ports of its own as they are here.

        `app-1:8000` and `0.0.0.0:8000` are addresses, `/data` is a path where it stands alone or
        begins one, and 8000 is a port where the part listens on it.
        """
        folders, ports = self.folders[part], self.ports[part]
        names = "|".join(map(re.escape, [*self.names, *_ITSELF]))
        paths = "|".join(map(re.escape, sorted(folders, key=len, reverse=True))) or r"\b\B"
        own = "|".join(map(str, ports)) or r"\b\B"
        pattern = (
            rf"(?<![\w.-])(?P<name>{names}):(?P<port>\d+)"
            rf"|(?<![\w./-])(?P<path>{paths})(?![\w-])"
            rf"|(?<![\w.:])(?P<own>{own})(?![\w.:])"
            r"|(?<![\w.])(?P<all>0\.0\.0\.0)(?![\w.:])"
        )

        def here(found: re.Match[str]) -> str:
            if found["path"]:
                return str(folders[found["path"]])
            if found["own"]:
                return str(ports[int(found["own"])])
            if found["all"]:
                return "127.0.0.1"
            owner = self.names.get(found["name"], part)
            return f"127.0.0.1:{self.ports[owner].get(int(found['port']), found['port'])}"

        return re.sub(pattern, here, text)


def place(parts: Iterable[Part], state: Path, *, published: bool) -> Here:
    """Choose a port for each that is listened on, and make a folder for each that is written to.

    Args:
        state: below it they are; what is in a volume stays there.
        published: whether ports that are published are those; free ones otherwise.

    Raises:
        OSError: a port that is to be published is taken.
    """
    ports, folders, names = {}, {}, {}
    for part in parts:
        ports[part.name] = {
            inside: _taken(outside) if outside and published else free_port()
            for inside, outside in part.ports.items()
        }
        folders[part.name] = {
            inside: _folder(state, part.name, inside, source)
            for inside, source in part.folders.items()
        }
        names |= dict.fromkeys(part.names, part.name)
    return Here(ports, folders, names)


def _folder(state: Path, part: str, inside: str, source: str | None) -> Path:
    if source and source.startswith("/"):
        return Path(source)
    folder = state / "volumes" / source if source else state / "own" / part / inside.strip("/")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _taken(port: int) -> int:
    try:
        create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise OSError(error.errno, f"port {port}: {error.strerror}") from error
    return port


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
