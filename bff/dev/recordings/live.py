"""What a recording cannot play: services with a state, answered by a file beside the recordings."""

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

from bff.dev.har_files import RecordingError
from bff.dev.recordings.message import Answerer

FILE: Final = "live.py"


def live(folder: Path, recorded: Mapping[str, Answerer]) -> Mapping[str, Answerer]:
    """What answers for each service: what is recorded, or what the folder's `live.py` makes of it.

    Its function `answerers()` gets what is recorded by service, and returns what answers instead;
    a service that it leaves out answers as recorded.

    Raises:
        RecordingError: the file cannot be run.
    """
    file = folder / FILE
    spec = spec_from_file_location("bff_live", file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return recorded
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        own: Mapping[str, Answerer] = module.answerers(recorded)
    except Exception as error:  # whatever somebody's file raises, its name has to be told
        raise RecordingError(f"{file}: {error!r}") from error
    return {**recorded, **own}
