"""gunicorn's settings as shipped, but for how much it tells."""

import os
from pathlib import Path

_shipped = Path("config/gunicorn.conf.py")
exec(compile(_shipped.read_text(), str(_shipped), "exec"))  # noqa: S102 - as gunicorn does it
loglevel = os.environ["GUNICORN_LEVEL"]
