"""The location of a configuration's recordings; those of the shop are generated."""

import os
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Final

from bff.dev.har_files import RecordingError, har_files

_HERE: Final = Path(__file__).parent
# In a checkout a symbolic link to `config`; a wheel contains a copy.
CONFIG: Final = (_HERE / "config").resolve()
_RULES: Final = "rules.toml"
_LIVE: Final = "from bff.dev.shop.live import answerers\n\n__all__ = ['answerers']\n"


def folder_of(config: Path) -> Path:
    """The folder `recordings` of a configuration; for the demo shop, the generated one.

    Raises:
        RecordingError: the shop's recordings cannot be written.
    """
    folder = config / "recordings"
    if har_files(folder) or config.resolve() != CONFIG:
        return folder
    return shop_recordings()


def shop_recordings() -> Path:
    """The folder of the shop's recordings, generated on first use.

    It is in the user's cache directory (XDG Base Directory Specification), named by a digest of the
    generating code, so that changed code takes effect at once.

    Raises:
        RecordingError: the cache cannot be written.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bff"
    folder = cache / f"shop-{_digest()}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".shop-", dir=cache) as aside:
            made = Path(aside) / "recordings"
            write(made)
            _rename(made, folder)
    except OSError as error:
        hint = "XDG_CACHE_HOME can name another folder"
        raise RecordingError(f"{cache}: cannot be written: {error.strerror}; {hint}") from error
    return folder


def write(folder: Path) -> None:
    """Write each `{service}.har` and the files beside them; byte-identical each time.

    Raises:
        OSError: the folder cannot be written.
    """
    from bff.dev.shop.services import ShopData, record

    folder.mkdir(parents=True, exist_ok=True)
    for recorder in record(ShopData()):
        recorder.save(folder)
    copyfile(_HERE / _RULES, folder / _RULES)
    (folder / "live.py").write_text(_LIVE, encoding="utf-8")


def _digest() -> str:
    digest = sha256()
    for file in sorted([*_HERE.glob("*.py"), _HERE / _RULES]):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _rename(made: Path, folder: Path) -> None:
    """Move a folder to its place, unless another process has created it in the meantime."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
