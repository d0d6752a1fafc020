"""Stateful services in place of recorded ones, defined by `live.py` beside the recordings."""

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

from bff.dev.har_files import RecordingError
from bff.dev.recordings.message import Answerer

FILE: Final = "live.py"


def live(folder: Path, recorded: Mapping[str, Answerer]) -> Mapping[str, Answerer]:
    """An answerer for each service: the recorded one, or that of the folder's `live.py`.

    Its function `answerers()` receives the recorded answerers by service, and returns those that
    replace them.

    Raises:
        RecordingError: the file raises an exception.
    """
    file = folder / FILE
    spec = spec_from_file_location("bff_live", file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return recorded
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        own: Mapping[str, Answerer] = module.answerers(recorded)
    except Exception as error:  # user code can raise anything; the message names its file
        raise RecordingError(f"{file}: {error!r}") from error
    return {**recorded, **own}
