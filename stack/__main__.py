"""`make stack`: everything that compose.yaml declares, until Ctrl-C."""

import signal
import sys
from pathlib import Path
from threading import Event

from stack.run import Failed, Stack

_ROOT = Path(__file__).parents[1]
_STATE = _ROOT / "build/stack"


def main() -> int:
    """Run it; 1 where it does not come up, or does not stay."""
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    out = sys.stdout
    try:
        stack = Stack(_ROOT, _STATE, told=lambda name: _say(f"starting {name}", stopped))
        with stack:
            address = f"https://localhost:{stack.port('nginx', 8443)}"
            out.write(f"\nThe shop is at {address}\n")
            out.write("  sign in as ada or grace; nobody asks for a password\n")
            out.write(f"  its authority  {_STATE}/volumes/certificates/ca.pem\n")
            out.write(f"  its logs       {_STATE}/*.log\nCtrl-C ends it.\n")
            out.flush()
            stack.watch(stopped.is_set)
            out.write("ending\n")
    except KeyboardInterrupt:
        return 0
    except (Failed, OSError, ValueError) as error:
        sys.stderr.write(f"stack: {error}\n")
        return 1
    return 0


def _say(text: str, stopped: Event) -> None:
    if stopped.is_set():
        raise KeyboardInterrupt
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
