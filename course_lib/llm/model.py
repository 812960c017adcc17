"""Which language model: the one that comes with the course, or any other that you name."""

import functools
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..wheels import COMMAND, FetchError
from . import bundled
from .fast import support


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

    `name` is a model hub id or a local folder of a causal language model that is built like Llama, as most are.
    Without it the environment variable COURSE_MODEL decides, and without that it is the model that comes with the
    course. Raises FetchError where a model is not on this computer and cannot be downloaded, or is built otherwise.

    >>> load_model()
    SmolLM2-135M-Instruct: 135 million parameters, torch.float32, on cpu
    """
    return _load(name or os.environ.get("COURSE_MODEL") or bundled.NAME)


@functools.cache
def _load(name: str) -> LanguageModel:
    published = bundled.HUB_ID if name == bundled.NAME else name
    source: str | Path = published
    if name == bundled.NAME and bundled.can_be_had():
        source = bundled.bundled_model()
    network, tokenizer = _read(name, source)
    network.name_or_path = published  # what a saved adapter names as its base: not the folder in the cache
    network.requires_grad_(False).eval().to(_best_device())
    network.set_attn_implementation(support.ATTENTION)
    if name != bundled.NAME and not support.is_supported(network):
        raise FetchError(
            f"The model {name!r} is built in a way that this course cannot train in two parts or ask with a shared "
            f"beginning. Take one that is built like Llama: SmolLM2, Qwen, Mistral and many more."
        )
    support.speed_up_head(network)
    return LanguageModel(name, network, tokenizer)


def _read(name: str, source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Weights and tokenizer from a folder or the hub; only safetensors, and no code from the model's repository."""
    try:
        with bundled.without_loading_bars():
            network = AutoModelForCausalLM.from_pretrained(
                source, dtype=best_dtype(_best_device()), use_safetensors=True, trust_remote_code=False
            )
            return network, AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, SafetensorError) as error:
        raise FetchError(
            f"The model {name!r} is not a folder with a model on this computer, and the model hub does not give it "
            f"({_first_line(error)}). Check the name and the network, or use the course's own model: {COMMAND}"
        ) from error
    except ValueError as error:
        raise FetchError(
            f"The model {name!r} is of a kind that transformers cannot load by itself ({_first_line(error)}). "
            f"Code from a model's repository is never run here: name another model."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _best_device() -> str:
    if torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # of several processes each has a GPU of its own
    return "mps" if torch.backends.mps.is_available() else "cpu"


def best_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware computes in it, else float32 (emulated bfloat16 is slower than float32)."""
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device == "cpu" and any(torch.cpu.get_capabilities().get(unit) for unit in ("avx512_bf16", "amx_bf16", "bf16")):
        return torch.bfloat16
    return torch.float32
