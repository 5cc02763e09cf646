"""The index that pip is configured for on this machine, made usable inside a build. Empty mount points are all that stays in the image."""

import ast
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

INSIDE = "/etc/pip.conf"


def mounts(folder: Path) -> list[str]:
    """The volumes (`source:target:ro`) of a build: one file with all settings in force, and whatever files and folders it names."""
    settings = _settings()
    target = folder / "pip.conf"
    with target.open("w") as out:
        settings.write(out)
    values = [value for section in settings.sections() for _, value in settings.items(section)]
    paths = sorted({path for value in values for word in value.split() if (path := _path(word))})
    return [f"{target}:{INSIDE}:ro", *(f"{path}:{path}:ro" for path in paths)]


def _settings() -> RawConfigParser:
    """All files and the environment in pip's own order; what the environment says is global and wins."""
    settings = RawConfigParser()
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True).stdout
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        section, _, name = key.replace(":env:", "global").partition(".")
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, name, " ".join(ast.literal_eval(value).split()))
    return settings


def _path(word: str) -> str | None:
    """What has to be mounted for a word of a setting: an index in a folder links to files beside it."""
    path = Path(word.removeprefix("file://"))
    if not path.is_absolute() or not path.exists():
        return None
    return str(path.parent if word.startswith("file://") else path)
