"""CTranslate2 as a worker for encoder-decoders: what its converter made, by `translate_batch`."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import ctranslate2
from generating import Ids, parser, serve


class CTranslate2:
    """A Translator of one worker. It reads and writes tokens, whose ids are made here."""

    def __init__(self, folder: str, threads: int, compute_type: str) -> None:
        self.translator = ctranslate2.Translator(
            folder,
            device="cpu",
            compute_type=compute_type,
            inter_threads=1,
            intra_threads=threads,
        )
        self.tokens = json.loads((Path(folder) / "shared_vocabulary.json").read_text("utf-8"))
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        self.versions = {
            "ctranslate2": ctranslate2.__version__,
            "compute type": self.translator.compute_type,
            "python": platform.python_version(),
        }

    def generate(self, sources: list[Ids], beams: int, steps: int) -> list[Ids]:
        """All sources in one batch, with its own settings for the rest."""
        results = self.translator.translate_batch(
            [self._tokens(source) for source in sources],
            beam_size=beams,
            min_decoding_length=steps,
            max_decoding_length=steps,
        )
        return [[self.ids[token] for token in result.hypotheses[0]] for result in results]

    def log_probs(self, source: Ids, target: Ids) -> list[float]:
        """It adds an end of text, whose own is left out."""
        [result] = self.translator.score_batch([self._tokens(source)], [self._tokens(target)])
        return list(result.log_probs[: len(target)])

    def _tokens(self, ids: Ids) -> list[str]:
        return [self.tokens[index] for index in ids]


if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("--compute-type", required=True)
    options = arguments.parse_args()
    serve(lambda: CTranslate2(options.model, options.threads, options.compute_type), options.work)
