"""The fast engine gives what the plain version gives: scores, texts, bits, losses, gradients and a whole training."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from transformers import DynamicCache

from course_lib import FineTuned
from course_lib.llm import plain
from course_lib.llm.chat import conversation, encode, encode_answer
from course_lib.llm.fast import attention, packing, trunk
from course_lib.llm.fast.layers import layers_above_shared, share_weights, split
from course_lib.llm.fast.loss import mean_answer_loss
from course_lib.llm.inference import encode_choices, end_tokens, generate, score_choices, text_bits
from course_lib.llm.lora import add_adapter
from course_lib.llm.training import UpperLayers, fine_tune

EXAMPLES = [("Is ice cold?", "yes"), ("Is fire cold?", "no"), ("What is 0 divided by 0?", "no answer")]
QUESTIONS = [
    "Is snow white?",
    "Can a stone swim, on its own, across a lake in the middle of winter?",
    "Do birds have wings?",
    "Is the Moon made of cheese, as people said to children?",
    "What colour is thought?",
    "Hot?",
]


def prompts(model, examples=EXAMPLES):
    return [encode(model, conversation("Answer yes, no or no answer.", examples, text)) for text in QUESTIONS]


@torch.inference_mode()
def plain_scores(model, prompt, options):
    return plain.score_choices(model.network, prompt, options)


@pytest.mark.parametrize("choices", [["yes", "no"], ["yes", "no", "no answer"], ["of course not", "by all means"]])
def test_choices_get_the_scores_of_the_plain_version(exact, choices):
    options = encode_choices(exact, choices)
    assert (options[0][-1] == exact.tokenizer.eos_token_id) == ("no answer" in choices)  # "no" begins "no answer"
    expected = torch.tensor([plain_scores(exact, prompt, options) for prompt in prompts(exact)])
    for batch_tokens in (1, 600, 8192):
        found = score_choices(exact, prompts(exact), choices, batch_tokens)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


@torch.inference_mode()
def test_texts_are_those_of_the_plain_version(exact):
    ends = end_tokens(exact)
    written = [plain.generate(exact.network, prompt, 20, ends) for prompt in prompts(exact)]
    expected = [exact.tokenizer.decode(tokens, skip_special_tokens=True).strip() for tokens in written]
    for batch_tokens in (1, 600, 8192):
        assert generate(exact, prompts(exact), 20, batch_tokens) == expected
    assert len(set(expected)) > 1


def test_bits_are_those_of_the_plain_version(exact):
    texts = ["Snow is white.", "Paris is the capital of France, and Rome that of Italy.", "Café"]
    torch.manual_seed(0)
    adapter = add_adapter(share_weights(exact.network), layers=10, rank=8)
    for name, weights in adapter.named_parameters():
        if "lora_B" in name:  # it begins at zero, and the copy would be the model itself
            weights.data = torch.randn(weights.shape) * 0.05
    models = [exact, exact.with_network(adapter.get_base_model())]
    assert layers_above_shared([model.network for model in models]) == 10
    document = [exact.tokenizer.eos_token_id]
    for begins in ([document] * 3, prompts(exact)[:3]):
        expected = [
            [
                -plain_scores(model, begin, [encode_answer(model, text)])[0] / math.log(2)
                for begin, text in zip(begins, texts, strict=True)
            ]
            for model in models
        ]
        for batch_size in (1, 8):
            bits = text_bits(models, texts, None if begins[0] == document else begins, batch_size)
            torch.testing.assert_close(bits, torch.tensor(expected), rtol=1e-3, atol=0.01)
        assert (bits[0] - bits[1]).abs().max() > 0.1


def heads(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain_attention(q, k, v, mask):
    """`plain.attention` for each row (H, T, D) of a batch, with each key head repeated for its query heads."""
    group = q.shape[1] // k.shape[1]
    rows = []
    for row in range(len(q)):
        own_k, own_v = (whole[row].repeat_interleave(group, dim=0) for whole in (k, v))
        rows.append(plain.attention(q[row], own_k, own_v, mask[row, 0]))
    return torch.stack(rows).transpose(1, 2)


MODULE = SimpleNamespace(layer_idx=0, num_key_value_groups=3, is_causal=True)
H, K, D, P = 9, 3, 16, 7  # heads, key heads, their width, tokens of the prefix


@pytest.mark.parametrize("T", [1, 5])
def test_attention_after_a_shared_prefix_is_plain_attention(T, monkeypatch):
    prefix = DynamicCache()
    prefix.update(*heads(2, 1, K, P, D), 0)
    q, k, v = heads(4, H, T, D, seed=1), heads(4, K, 5, D, seed=2), heads(4, K, 5, D, seed=3)
    mask = torch.ones(5, 5, dtype=torch.bool).tril()[-T:].expand(4, 1, T, 5).clone()
    mask[0, 0, 1:, 0] = False  # padding
    shared = prefix.layers[0]
    all_k, all_v = (
        torch.cat([begin.expand(4, -1, -1, -1), own], 2) for begin, own in ((shared.keys, k), (shared.values, v))
    )
    expected = plain_attention(q, all_k, all_v, torch.nn.functional.pad(mask, (P, 0), value=True))
    found, _ = attention.attend(MODULE, q, k, v, mask, scaling=D**-0.5, prefix=prefix)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)

    # In bfloat16 the scores are computed by the formula, for all rows together or for one after the other.
    shared.keys, shared.values = shared.keys.bfloat16(), shared.values.bfloat16()
    for cached in (1, 10**9):
        monkeypatch.setattr(attention, "CACHED", cached)
        given = (whole.bfloat16() for whole in (q, k, v))
        found, _ = attention.attend(MODULE, *given, mask, scaling=D**-0.5, prefix=prefix)
        torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)


@pytest.mark.parametrize("short", [0, 3, 128])  # pieces by torch; the beginning by torch; all by the formula
def test_attention_in_a_packed_row_is_plain_attention(short, monkeypatch):
    monkeypatch.setattr(attention, "SHORT", short)
    sizes = [2, 3, 1]
    T = P + sum(sizes)
    q, k, v = (heads(1, count, T, D, seed=count) for count in (H, K, K))
    seen = packing.layout(P, sizes, torch.device("cpu"))
    expected = plain_attention(q, k, v, seen["attention_mask"])
    found, _ = attention.attend(MODULE, q, k, v, seen["attention_mask"], scaling=D**-0.5, pieces=seen["pieces"])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def few(exact, pottery):
    """Ten examples of unlike length, as prompts and answers."""
    approach = FineTuned(prompt=pottery.prompt, model=exact)
    part = pottery.train[:10]
    return approach.encode_prompts(part["input"]), [encode_answer(exact, answer) for answer in part["output"]]


@pytest.fixture
def nothing_kept(monkeypatch):
    monkeypatch.setattr(trunk, "_kept", type(trunk._kept)())


# Attention to long pieces, and to short ones; rows as they are, and filled up as in bfloat16; prompts that begin
# alike, that do not, and that begin alike for longer than a short piece.
@pytest.mark.parametrize(
    ("short", "fill", "begin"),
    [(0, 0, "alike"), (128, 0, "alike"), (128, 5, "alike"), (128, 0, "unlike"), (128, 0, "alike for long")],
)
def test_a_packed_batch_has_the_loss_and_the_gradients_of_the_plain_version(
    exact, few, short, fill, begin, monkeypatch, nothing_kept
):
    prompts, answers = few
    if begin == "unlike":
        prompts = [[number, *prompt] for number, prompt in enumerate(prompts)]
    if begin == "alike for long":
        prompts = [[*range(100, 250), *prompt] for prompt in prompts]
    monkeypatch.setattr(attention, "SHORT", short)
    monkeypatch.setattr(packing, "fill_size", lambda *_: fill)
    adapter = add_adapter(share_weights(exact.network), layers=10, rank=8)
    trained = {name: weights for name, weights in adapter.named_parameters() if weights.requires_grad}
    for number, weights in enumerate(trained.values()):  # B begins at zero, where half of the gradients vanish
        weights.data = heads(*weights.shape, seed=number) * 0.02
    _, upper = split(adapter.get_base_model(), layers=10)
    top = UpperLayers(upper, adapter.get_base_model().get_output_embeddings())
    loss = top(**packing.pack(*trunk.run_trunk(exact, 10, prompts, answers)))["loss"]
    loss.backward()

    network = share_weights(exact.network)
    lora = plain.add_lora(network, layers=10, rank=8)
    for part, a, b in zip(lora, list(trained.values())[::2], list(trained.values())[1::2], strict=True):
        part.A.data, part.B.data = a.data.clone(), b.data.clone()
    examples = [
        (prompt, [*answer, exact.tokenizer.eos_token_id]) for prompt, answer in zip(prompts, answers, strict=True)
    ]
    expected = sum(plain.answer_loss(network, *example) for example in examples)
    expected = expected / sum(len(answer) for _, answer in examples)
    expected.backward()

    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)
    assert len(lora) == 10 * 7
    gradients = [weights.grad for part in lora for weights in (part.A, part.B)]
    for (name, weights), gradient in zip(trained.items(), gradients, strict=True):
        torch.testing.assert_close(weights.grad, gradient, atol=1e-4, rtol=1e-2, msg=name)


def test_a_whole_training_gives_the_losses_and_the_weights_of_the_plain_version(exact, few):
    prompts, answers = few
    settings = {"learning_rate": 2e-3, "batch_size": 4, "seed": 3}
    adapter, losses = fine_tune(exact, prompts, answers, layers=2, rank=4, steps=2 * 3, **settings)  # 3 steps an epoch
    trained = [weights for name, weights in adapter.named_parameters() if "lora_" in name]

    torch.manual_seed(settings["seed"])
    untrained = add_adapter(share_weights(exact.network), layers=2, rank=4)
    begins = [weights for name, weights in untrained.named_parameters() if "lora_A" in name]
    network = share_weights(exact.network)
    lora = plain.add_lora(network, layers=2, rank=4)
    for part, begin in zip(lora, begins, strict=True):
        part.A.data = begin.data.clone()
    examples = [
        (prompt, [*answer, exact.tokenizer.eos_token_id]) for prompt, answer in zip(prompts, answers, strict=True)
    ]
    assert plain.train(network, examples, epochs=2, **settings) == pytest.approx(losses, abs=2e-3)
    assert losses[0] - losses[-1] > 0.5
    for part, a, b in zip(lora, trained[::2], trained[1::2], strict=True):
        torch.testing.assert_close(part.A, a, atol=2e-3, rtol=0.02)
        torch.testing.assert_close(part.B, b, atol=2e-3, rtol=0.02)


def test_the_loss_part_by_part_is_that_of_all_tokens_at_once(exact):
    head = exact.network.get_output_embeddings()
    states = heads(400, head.in_features).requires_grad_()
    labels = torch.randint(head.out_features, (400,), generator=torch.Generator().manual_seed(0))
    whole = torch.nn.functional.cross_entropy(head(states), labels)
    parts = mean_answer_loss(states, head, labels)
    torch.testing.assert_close(parts, whole)
    of_parts, of_whole = (torch.autograd.grad(2 * loss, states)[0] for loss in (parts, whole))
    torch.testing.assert_close(of_parts, of_whole, atol=1e-6, rtol=1e-4)


def test_the_base_model_is_as_before_what_was_done_to_its_views(exact, few):
    before = copy.deepcopy(exact.network.state_dict())
    network = share_weights(exact.network)
    plain.add_lora(network, layers=2, rank=4)
    assert not any("lora" in name or ".A" in name for name in exact.network.state_dict())
    for name, weights in exact.network.state_dict().items():
        assert torch.equal(weights, before[name]), name
