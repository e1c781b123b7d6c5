"""A bundle beside the transformers model that it was made of: the same search in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import satchel
from satchel.runtime.batch import Generation
from tests.generating import opened

NEW = 14


class Pair:
    """The checkpoint at `folder`, and a float32 bundle of it."""

    def __init__(self, folder: Path, theirs: transformers.PreTrainedModel) -> None:
        self.theirs = theirs
        self.bundle = folder.with_name(f"{folder.name}-bundle")
        satchel.pack(folder, self.bundle, profile="fp32")

    def assert_equal(
        self,
        prompts: list[list[int]],
        ends: tuple[int, ...] = (),
        n_best: int = 1,
        logit_bias: dict[int, float] | None = None,
        **options: Any,
    ) -> list[list[Generation]]:
        """The n-best texts and scores of both; returns them."""
        options = {"max_new_tokens": NEW, **options}
        found: list[list[Generation]] = opened(self.bundle, ends).generate(
            prompts, n_best=n_best, logit_bias=logit_bias, **options
        )
        theirs = self._theirs(prompts, ends, n_best, logit_bias, options)
        rows = [row for rows in found for row in rows]
        assert len(rows) == len(prompts) * n_best
        start = 1 if self.theirs.config.is_encoder_decoder else max(map(len, prompts))
        for row, ids in zip(rows, theirs.sequences[:, start:].tolist(), strict=True):
            end = next((i for i, token in enumerate(ids) if token in ends), len(ids))
            assert row.tokens == ids[:end]
            assert row.finish_reason == ("eos" if end < len(ids) else "length")
        scores: Any = [row.score for row in rows]
        atol = 1e-4 * max(1, NEW ** -options.get("length_penalty", 1.0))
        np.testing.assert_allclose(scores, theirs.sequences_scores.numpy(), atol=atol, rtol=1e-6)
        return found

    def _theirs(
        self,
        prompts: list[list[int]],
        ends: tuple[int, ...],
        n_best: int,
        logit_bias: dict[int, float] | None,
        options: dict[str, Any],
    ) -> Any:
        longest = max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # sources are filled up at their ends
            first = 0 if self.theirs.config.is_encoder_decoder else longest - len(prompt)
            ids[row, first : first + len(prompt)] = torch.tensor(prompt)
            mask[row, first : first + len(prompt)] = 1
        bias = {(token,): value for token, value in (logit_bias or {}).items()} or None
        with torch.inference_mode():
            return self.theirs.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                num_return_sequences=n_best,
                eos_token_id=list(ends) or None,
                pad_token_id=0,
                sequence_bias=bias,
                return_dict_in_generate=True,
                output_scores=True,
                **options,
            )
