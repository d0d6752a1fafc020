"""Asks whether a known vulnerability is in what is locked, and says plainly when nobody answered.

pip-audit alone reports "No known vulnerabilities found" also when a package index that keeps no
such record knew none of the packages, and ends with 1 both for a finding and for no network.
"""
# ruff: noqa: INP001 - a script of the checks, in no package

import json
import subprocess
import sys
from typing import Any

FILES = ("lock/run.txt", "lock/build.txt")
UNREACHABLE = ("connection", "timed out", "timeout", "vulnerability feed", "serviceerror")


def ask() -> tuple[list[dict[str, Any]] | None, str]:
    """What pip-audit says of each dependency, or None, and what it wrote beside that."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off"]
    command += [word for file in FILES for word in ("--requirement", file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        return json.loads(done.stdout)["dependencies"], done.stderr
    except ValueError:
        return None, done.stderr


def main() -> int:
    """Print the result; 1 for a vulnerability, or when pip-audit itself is at fault."""
    dependencies, words = ask()
    if dependencies is None:
        if not any(sign in words.lower() for sign in UNREACHABLE):
            sys.stderr.write(f"{words}\naudit: failed\n")
            return 1
        sys.stdout.write("audit: not done, service unreachable\n")
        return 0
    known = [each for each in dependencies if "skip_reason" not in each]
    if not known:
        sys.stdout.write("audit: not done, the service reached keeps no record of any package\n")
        return 0
    found = [(each, flaw) for each in known for flaw in each["vulns"]]
    for each, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        sys.stderr.write(f"{each['name']} {each['version']}: {flaw['id']}, fixed in {fixed}\n")
    sys.stdout.write(f"audit: {len(known)} of {len(dependencies)} packages, {len(found)} found\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
