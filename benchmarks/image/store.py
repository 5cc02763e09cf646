"""Buildah with a storage of its own, which is gone in the end. It builds images and says what is in them; it runs nothing."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Image(NamedTuple):
    """A built image: its root folder, its configuration in Docker's words, and its size in bytes, plain and compressed, layer by layer."""

    root: Path
    config: dict[str, Any]
    size: int
    layers: list[int]


class Store:
    """Images below one folder."""

    def __init__(self, folder: Path) -> None:
        """Nothing is in it yet."""
        self.folder = folder

    def base(self, archive: Path) -> str:
        """Import a root file system; gives the image's name."""
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(archive), "/")
        self._buildah("commit", "--quiet", "--rm", container, "base")
        return "localhost/base"

    def build(self, context: Path, base: str, volumes: Iterable[str]) -> str:
        """Build the Dockerfile of a folder; gives the image's name, or raises `RuntimeError` with the build's last words."""
        options = [f"--volume={volume}" for volume in volumes]
        # The OCI format has no place for a HEALTHCHECK.
        self._buildah("build", "--format=docker", "--pull-never", f"--build-arg=BASE={base}", *options, "--tag=askwhen", str(context))
        return "localhost/askwhen"

    def open(self, name: str) -> Image:
        """Lay an image out as files, and weigh it."""
        root = Path(self._buildah("mount", self._buildah("from", "--pull-never", name)))
        config = json.loads(self._buildah("inspect", "--type=image", name))["Docker"]["config"]
        return Image(root, config, _size(root), self._layers(name))

    def _layers(self, name: str) -> list[int]:
        layout = self.folder / "oci"
        self._buildah("push", "--quiet", "--format=oci", name, f"oci:{layout}")
        index = json.loads((layout / "index.json").read_text())
        digest = index["manifests"][0]["digest"].removeprefix("sha256:")
        manifest = json.loads((layout / "blobs" / "sha256" / digest).read_text())
        return [layer["size"] for layer in manifest["layers"]]

    def _buildah(self, *arguments: str) -> str:
        command = ["buildah", f"--root={self.folder}/root", f"--runroot={self.folder}/run", "--storage-driver=vfs", *arguments]
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise RuntimeError(f"buildah {arguments[0]}: " + "\n".join((done.stdout + done.stderr).splitlines()[-15:]))
        return done.stdout.strip()


@contextmanager
def store() -> Iterator[Store]:
    """A store that is removed in the end, unless something is still mounted in it."""
    folder = Path(tempfile.mkdtemp(prefix="askwhen-image-"))
    try:
        yield Store(folder)
    finally:
        if f" {folder}/" in Path("/proc/self/mountinfo").read_text():
            raise RuntimeError(f"something is still mounted below {folder}")
        shutil.rmtree(folder)


def _size(root: Path) -> int:
    command = ["du", "--summarize", "--bytes", "--one-file-system", root]
    return int(subprocess.run(command, capture_output=True, check=True).stdout.split()[0])
