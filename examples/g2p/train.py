"""Train a small T5 on the pronouncing dictionary, on a CPU, and write it as a checkpoint folder.

    python examples/g2p/train.py --work runs/g2p --out examples/g2p/checkpoint

`--resume` goes on from the last state under `--work`.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from data import SPECIAL, VOCABULARY, judge, pronunciations
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from torch.nn import functional
from transformers import GenerationConfig, PreTrainedTokenizerFast, T5Config
from transformers import T5ForConditionalGeneration as T5

PAD, END = VOCABULARY["<pad>"], VOCABULARY["</s>"]
HEAD_DIM = 64
LONGEST = 40  # tokens of an answer; the longest of the dictionary has 28 and an end
Pair = tuple[list[int], list[int]]  # ids of a word and of one pronunciation, both with their end


def config(options: argparse.Namespace) -> T5Config:
    return T5Config(
        vocab_size=len(VOCABULARY),
        d_model=options.width,
        d_kv=HEAD_DIM,
        num_heads=options.width // HEAD_DIM,
        d_ff=2 * options.width,
        num_layers=options.encoder_layers,
        num_decoder_layers=options.decoder_layers,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=32,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=True,
        dropout_rate=0.0,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=PAD,
    )


def tokenizer() -> Tokenizer:
    """Every letter of a word is a token and so is every phoneme; phonemes are only ever read out.

    A word may be typed in capitals: it is lower-cased, so phonemes cannot be mistaken for letters.
    """
    made = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    made.add_special_tokens(SPECIAL)
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", END)])
    made.decoder = decoders.WordPiece(prefix="##", cleanup=False)  # a space between two phonemes
    return made


def encoded() -> list[Pair]:
    """One pair for every pronunciation of every word to train on."""
    return [
        ([*(VOCABULARY[x] for x in word), END], [*(VOCABULARY[x] for x in each.split()), END])
        for word, several in pronunciations("train").items()
        for each in several
    ]


def batches(pairs: list[Pair], size: int, epoch: int) -> list[list[Pair]]:
    """One epoch in an order of its own; a batch holds words of equal length and similar answers."""
    chance = random.Random(epoch)
    order = sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1]), chance.random()))
    cut = [order[start : start + size] for start in range(0, len(order), size)]
    chance.shuffle(cut)
    return cut


def padded(rows: list[list[int]], fill: int) -> torch.Tensor:
    """[batch, longest]"""
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def loss_of(model: T5, batch: list[Pair], smoothing: float) -> torch.Tensor:
    sources = padded([source for source, _ in batch], PAD)
    labels = padded([target for _, target in batch], -100)
    inputs = functional.pad(labels, (1, -1), value=PAD).clamp_min(PAD)
    logits = model(
        input_ids=sources, attention_mask=(sources != PAD).long(), decoder_input_ids=inputs
    ).logits
    return functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), label_smoothing=smoothing
    )


@torch.no_grad()
def spell(model: T5, words: list[str], size: int = 500) -> list[str]:
    """The greedy pronunciation of each word."""
    names = list(VOCABULARY)
    found = []
    for start in range(0, len(words), size):
        rows = [[*(VOCABULARY[x] for x in word), END] for word in words[start : start + size]]
        sources = padded(rows, PAD)
        answers = model.generate(
            input_ids=sources, attention_mask=(sources != PAD).long(), max_new_tokens=LONGEST
        )
        for answer in answers.tolist():
            found.append(" ".join(names[x] for x in answer if x not in (PAD, END)))
    return found


def report(model: T5, sample: dict[str, list[str]]) -> str:
    """Error rates over `sample`, with stress and without."""
    errors = judge(spell(model, list(sample)), list(sample.values()))
    return ", ".join(
        f"{name} PER {errors[name].phonemes:.2%} WER {errors[name].words:.2%}"
        for name in ("with stress", "without stress")
    )


def rate(step: int, options: argparse.Namespace) -> float:
    """Learning rate: a linear warm-up, a plateau, and a linear way down to nothing.

    The plateau knows no end, so a resumed training may still choose another number of steps.
    """
    up, down = (step + 1) / options.warmup, (options.steps - step) / options.decay
    return options.rate * max(0.0, min(1.0, up, down))


def write_checkpoint(model: T5, folder: Path) -> None:
    """A folder as `transformers` writes it, weights in float16."""
    model.half().save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(),
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=64,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)


class Dropout(nn.Module):
    """Dropout from bytes of noise: torch's own takes a third of a training step on a CPU."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.least = round(256 * probability)
        self.noise = np.random.default_rng()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.least:
            return hidden
        noise = torch.frombuffer(bytearray(self.noise.bytes(hidden.numel())), dtype=torch.uint8)
        kept = (noise >= self.least).view(hidden.shape).to(hidden.dtype)
        return hidden * (kept * (256 / (256 - self.least)))


def prepare(model: T5, probability: float) -> None:
    """Starting weights, and cheaper parts that compute the same when the model is used."""
    for module in list(model.modules()):
        if getattr(
            module, "has_relative_attention_bias", False
        ):  # neighbours differ from the start
            nn.init.normal_(module.relative_attention_bias.weight)
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, Dropout(probability))
        if hasattr(module, "act"):  # the same function as one operation
            module.act = nn.GELU(approximate="tanh")


class Run:
    """Model, its moving average, optimiser and step: what a resumed training needs."""

    parts = ("model", "average", "optimizer")

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.model = T5(config(options))
        prepare(self.model, options.dropout)
        self.average = T5(config(options)).eval()
        self.average.load_state_dict(self.model.state_dict())
        self.average.generation_config = GenerationConfig(
            decoder_start_token_id=PAD, eos_token_id=END, pad_token_id=PAD, max_new_tokens=LONGEST
        )
        named = list(self.model.named_parameters())
        queries = [each for name, each in named if name.endswith(".q.weight")]
        others = [each for name, each in named if not name.endswith(".q.weight")]
        # T5 does not scale its scores: what others divide them by is in the query weights, which
        # start that much smaller and must move that much slower.
        self.optimizer = torch.optim.AdamW(
            [{"params": others, "share": 1.0}, {"params": queries, "share": HEAD_DIM**-0.5}],
            betas=(0.9, 0.98),
            weight_decay=0.01,
            fused=True,
        )
        self.step = 0

    def save(self, path: Path) -> None:
        state = {name: getattr(self, name).state_dict() for name in self.parts}
        torch.save({**state, "step": self.step}, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        for name in self.parts:
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]

    def advance(self, batch: list[Pair], options: argparse.Namespace) -> torch.Tensor:
        """One step; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * rate(self.step, options)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            loss = loss_of(self.model, batch, options.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(options.average, self.step / (self.step + 10))
        with torch.no_grad():
            ours, theirs = self.average.parameters(), self.model.parameters()
            torch._foreach_lerp_(list(ours), list(theirs), 1 - keep)
        return loss.detach()


def stream(pairs: list[Pair], size: int, step: int) -> Iterator[list[Pair]]:
    """Batches without end, from `step` on."""
    epoch, skip = divmod(step, math.ceil(len(pairs) / size))
    while True:
        yield from batches(pairs, size, epoch)[skip:]
        epoch, skip = epoch + 1, 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/g2p"), help="states and log")
    parser.add_argument("--out", type=Path, help="where the finished checkpoint goes")
    parser.add_argument("--resume", action="store_true", help="go on from the last state")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--encoder-layers", type=int, default=4)
    parser.add_argument("--decoder-layers", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--smoothing", type=float, default=0.1, help="label smoothing")
    parser.add_argument("--batch", type=int, default=64, help="pronunciations of a step")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of the plateau")
    parser.add_argument("--warmup", type=int, default=500, help="steps of the way up")
    parser.add_argument("--decay", type=int, default=5250, help="steps of the way down")
    parser.add_argument("--steps", type=int, default=11750)
    parser.add_argument("--average", type=float, default=0.999, help="decay of the weights' mean")
    parser.add_argument("--check", type=int, default=250, help="steps between two looks")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    state = options.work / "state.pt"
    run = Run(options)
    if options.resume:
        run.load(state)
    pairs = encoded()
    sample = dict(random.Random(0).sample([*pronunciations("dev").items()], 400))
    print(
        f"{len(pairs)} pairs, {sum(p.numel() for p in run.model.parameters())} weights", flush=True
    )
    losses, began, used = 0.0, time.perf_counter(), time.process_time()
    for batch in stream(pairs, options.batch, run.step):
        if run.step >= options.steps:
            break
        losses += run.advance(batch, options).item()
        if run.step % options.check == 0 or run.step == options.steps:
            took, spent = time.perf_counter() - began, time.process_time() - used
            print(
                f"step {run.step} loss {losses / options.check:.4f} {report(run.average, sample)}"
                f" ({took:.0f} s, {spent:.0f} s of processor)",
                flush=True,
            )
            run.save(state)
            losses, began, used = 0.0, time.perf_counter(), time.process_time()
    if options.out:
        write_checkpoint(run.average, options.out)


if __name__ == "__main__":
    main()
