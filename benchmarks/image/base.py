"""A base image without a registry: a minimal Debian with Python, made by debootstrap from the mirror that apt is configured for."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
_RUBBISH = ("var/cache/apt", "var/lib/apt/lists", "var/log")


def archive() -> Path:
    """The base as a tar file, kept in the user's cache; the first call makes it, in about a minute."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "askwhen"
    target = cache / f"base-{SUITE}.tar"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _make(Path(folder) / "root", part := Path(folder) / "base.tar")
            part.replace(target)
    return target


def _make(root: Path, target: Path) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), _mirror()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError("debootstrap: " + "\n".join(done.stdout.splitlines()[-5:]))
    for path in _RUBBISH:
        shutil.rmtree(root / path)
        (root / path).mkdir()
    subprocess.run(["tar", "--numeric-owner", "--one-file-system", "-C", root, "-cf", target, "."], check=True)


def _mirror() -> str:
    """Where apt gets the suite from; raises `RuntimeError` if its sources do not have it."""
    command = ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(SITE)", "Created-By: Packages"]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        codename, component, site = line.split(maxsplit=2)
        if (codename, component) == (SUITE, "main"):
            return site
    raise RuntimeError(f"apt has no source for {SUITE}")
