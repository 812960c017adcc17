"""Fine-tuning with LoRA, on a model that is split in two so that a laptop can do it.

The lower layers stay as they are, so what they make of an example never changes: it is computed once and kept.
Only the upper layers are run, forwards and backwards, in every epoch; small trainable matrices (LoRA, adapter.py)
stand beside their weights, and the loss looks at the tokens of the answer alone. A batch is one long row: what all
requests begin with, once, and then each example, which sees that beginning and itself. No token runs twice.
"""

import copy
import functools
import os
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from .adapter import adapted_network, add_adapter
from .bars import progress_bar
from .inference import Tokens, common_prefix
from .layers import share_weights, split
from .model import LanguageModel, enough_memory, give_back_memory

# peft 0.21 asks transformers 5 for a property by its old name; nothing that a learner could change.
warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)


@enough_memory()
def fine_tune(
    model: LanguageModel,
    requests: Sequence[Tokens],
    answers: Sequence[Tokens],
    layers: int,
    rank: int,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> tuple[PeftModel, list[float]]:
    """Train an adapter for the upper `layers` layers to give each answer after its request.

    Returns the adapted network and the loss of every step: the mean over the answers' tokens, in nats. The network
    of `model` is not touched, not even while this runs: the adapted one has modules of its own around the same
    weights, so nothing need be put back when somebody presses stop. Where accelerate has started several
    processes, each takes its share of every batch, and all end with the same weights.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    set_seed(seed)
    give_back_memory()
    adapted = add_adapter(share_weights(model.network), layers, rank)
    network = adapted_network(adapted)
    _, upper = split(network, layers)
    top = Top(upper, network.get_output_embeddings())
    beginning, examples = _run_trunk(model, layers, requests, answers)
    with (
        tempfile.TemporaryDirectory() as folder,
        progress_bar(epochs * -(-len(examples) // batch_size), "Fine-tuning") as advance,
    ):
        arguments = TrainingArguments(
            folder,
            num_train_epochs=epochs,
            learning_rate=learning_rate,
            warmup_steps=0.1,
            per_device_train_batch_size=max(batch_size // processes, 1),
            remove_unused_columns=False,
            dataloader_pin_memory=False,  # with a GPU the trunk's states lie on it already
            seed=seed,
            use_cpu=model.device.type == "cpu",
            ddp_find_unused_parameters=False,  # every step uses them all
            logging_steps=1,
            disable_tqdm=True,
            save_strategy="no",
            report_to="none",
        )
        arguments._n_gpu = min(arguments.n_gpu, 1)  # or one process would give each GPU it sees a batch of its own
        trainer = Trainer(
            top,
            arguments,
            train_dataset=examples,
            data_collator=functools.partial(_batch, beginning),
            callbacks=[_Advance(advance)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    give_back_memory()
    return adapted.eval(), [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


class Top(nn.Module):
    """The upper layers with the loss on an answer's tokens."""

    accepts_loss_kwargs = False  # or the Trainer takes its mean for a sum, and multiplies it by the processes

    def __init__(self, decoder: nn.Module, head: nn.Module):
        super().__init__()
        *others, last = cast(nn.ModuleList, decoder.layers)
        last = copy.copy(last)
        self.answers = None
        if isinstance(mlp := getattr(last, "mlp", None), nn.Module):  # where it has another name it runs for all tokens
            self.answers = _OnlyAnswers(mlp)
            last._modules = {**last._modules, "mlp": self.answers}
        decoder.layers = nn.ModuleList([*others, last])
        self.decoder = decoder
        self.head = head

    def forward(self, states: Tensor, labels: Tensor, **row: Any) -> dict[str, Tensor]:
        """`states` (1, tokens, width) from the trunk; `labels` (1, tokens): the next token, or -100; see _row."""
        wanted = labels != -100
        if self.answers is not None:
            self.answers.places = wanted[0].nonzero()[:, 0]
        hidden = self.decoder(inputs_embeds=states, use_cache=False, **row).last_hidden_state
        return {"loss": _Loss.apply(hidden[wanted], self.head, labels[wanted])}


class _OnlyAnswers(nn.Module):
    """The last layer's MLP for the tokens that the loss looks at: nobody reads what it would make of the others."""

    places: Tensor  # theirs in the row

    def __init__(self, mlp: nn.Module):
        super().__init__()
        self.mlp = mlp

    def forward(self, states: Tensor) -> Tensor:
        return torch.zeros_like(states).index_copy(1, self.places, self.mlp(states[:, self.places]))


class _Loss(torch.autograd.Function):
    """The mean cross-entropy of an answer's tokens, up to 128 at a time, and its gradient on the way.

    A token has a score for each of tens of thousands of words: of all tokens at once they can be the largest thing in
    memory. So they are turned into probabilities, and these into the gradient (the probability of each word, less 1
    for the right one), where they stand. The head itself is not trained, so it gets no gradient.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: nn.Module, labels: Tensor) -> Tensor:
        total = torch.zeros((), device=hidden.device)
        gradients: list[Tensor] = []
        parts = -(-len(labels) // 128)
        for states, truth in zip(hidden.tensor_split(parts), labels[:, None].tensor_split(parts), strict=True):
            with torch.enable_grad():
                states = states.detach().requires_grad_()
                scores = head(states)
            words = scores.detach().log_softmax(-1, dtype=torch.float32)
            total -= words.gather(-1, truth).sum() / len(labels)
            words.exp_().scatter_add_(-1, truth, -words.new_ones(truth.shape)).div_(len(labels))
            scores.backward(words.to(scores.dtype))
            gradients.append(cast(Tensor, states.grad))
        ctx.save_for_backward(torch.cat(gradients))
        return total

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor, None, None]:
        return ctx.saved_tensors[0] * incoming[0], None, None


# What the lower layers made of examples, by network: the next training on the same ones (another seed, other settings,
# a part of them) begins from it. The least recently used are dropped beyond this many bytes.
KEEP = 64_000_000
_kept: WeakKeyDictionary[PreTrainedModel, OrderedDict[tuple, Tensor]] = WeakKeyDictionary()


@torch.inference_mode()
def _run_trunk(
    model: LanguageModel, layers: int, requests: Sequence[Tokens], answers: Sequence[Tokens]
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """What the lower layers make of the common beginning, and of each example after it, with its labels."""
    trunk, _ = split(model.network, layers)
    kept = _kept.setdefault(model.network, OrderedDict())
    prefix, end = common_prefix(requests), model.tokenizer.eos_token_id
    common = (layers, *prefix)

    def key(tokens: Tokens) -> tuple:
        return common, tuple(tokens)

    own = [request[len(prefix) :] for request in requests]
    rows = [[*request, *answer] for request, answer in zip(own, answers, strict=True)]
    missing = [row for row in rows if key(row) not in kept or key([]) not in kept]
    groups = [missing[start : start + 8] for start in range(0, len(missing), 8)]
    with progress_bar(len(groups), "Running the lower layers once") as advance:
        for group in groups:
            sizes = [len(row) for row in group]
            fill = _fill(len(prefix) + sum(sizes), model.dtype, model.device)
            whole = torch.tensor([*prefix, *(token for row in group for token in row), *[0] * fill])
            seen = _row(len(prefix), [*sizes[:-1], sizes[-1] + fill], model.device)
            states = trunk(whole[None].to(model.device), use_cache=False, **seen).last_hidden_state[0]
            for tokens, part in zip([[], *group], states.split([len(prefix), *sizes, fill]), strict=False):
                kept[key(tokens)] = part.clone()
            advance()
    examples = []
    for request, row in zip(own, rows, strict=True):
        labels = torch.tensor([*row, end]).masked_fill(torch.arange(len(row) + 1) < len(request), -100)[1:]
        examples.append({"states": kept[key(row)], "labels": labels})
        kept.move_to_end(key(row))
    beginning = kept[key([])]
    kept.move_to_end(key([]))
    size = sum(one.nbytes for one in kept.values())
    while size > KEEP:
        size -= kept.popitem(last=False)[1].nbytes
    return beginning, examples


def _row(beginning: int, sizes: Sequence[int], device: torch.device) -> dict[str, Any]:
    """Where each token of a row stands and what it sees: itself and, before it, its own example and the beginning."""
    pieces = [beginning, *sizes]
    owner = torch.cat([torch.full((size,), number) for number, size in enumerate(pieces)])
    places = torch.cat([torch.arange(beginning), *(torch.arange(beginning, beginning + size) for size in sizes)])
    own = (owner[:, None] == owner) | (owner == 0)
    sees = own & (places <= places[:, None])
    return {
        "position_ids": places[None].to(device),
        "attention_mask": sees[None, None].to(device),
        "pieces": pieces,
    }


def _batch(beginning: Tensor, examples: list[dict[str, Tensor]]) -> dict[str, Any]:
    """A batch as one row, for `Top`."""
    labels = torch.cat([torch.full((len(beginning),), -100), *(example["labels"] for example in examples)])
    states = torch.cat([beginning, *(example["states"] for example in examples)])
    fill = _fill(len(labels), states.dtype, states.device)
    labels, states = nn.functional.pad(labels, (0, fill), value=-100), nn.functional.pad(states, (0, 0, 0, fill))
    *sizes, last = (len(example["labels"]) for example in examples)
    return {
        "states": states[None],
        "labels": labels[None],
        **_row(len(beginning), [*sizes, last + fill], states.device),
    }


def _fill(tokens: int, dtype: torch.dtype, device: torch.device) -> int:
    """How many tokens to put after the last example of a row.

    For products in bfloat16 a CPU's library writes code for every size that it meets, which takes time and memory. So
    there a row has a multiple of 16 tokens; what stands after an example changes nothing in it.
    """
    return -tokens % 16 if dtype == torch.bfloat16 and device.type == "cpu" else 0


class _Advance(TrainerCallback):
    """Moves the bar after every step of the Trainer."""

    def __init__(self, advance: Callable[[str], None]):
        self.advance = advance

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.advance(f"loss {logs['loss']:.2f}")
