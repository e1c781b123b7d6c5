"""What an app holds of a speech model: sound in, text with its times out.

With timestamps the next window begins where the last segment written to its end has ended (Radford et
al., 2022, section 3.8).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.audio import (
    AudioFormat,
    WaveFormat,
    sample_sounds,
    sample_sources,
    speech_format,
)
from satchel.runtime.bundle import TOKENIZER, Bundle
from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_session import DecoderSession, Run
from satchel.runtime.errors import BundleError, UsageError, shown
from satchel.runtime.manifest import Speech
from satchel.runtime.options import Options, unfit
from satchel.runtime.sample_answers import SampleAnswer, of_target, target_probe
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SensedEncoder
from satchel.runtime.sources import Sources
from satchel.runtime.spoken import code_of, near
from satchel.runtime.task_model import TaskModel
from satchel.runtime.text import load_tokenizer
from satchel.runtime.timestamps import Cut, Timestamps
from satchel.runtime.transcript import Segment, Transcript
from satchel.runtime.waveform import Samples, read_waveform
from satchel.runtime.window_text import MOST, written
from satchel.runtime.workloads import Workload, steps

HEARD = "auto"  # the language that means: listen which it is
UNFIT = unfit("transcribe")


class Transcription:
    """Segments as they are written: iterate once. `result` is the transcript up to there."""

    def __init__(
        self,
        model: SpeechModel,
        samples: Samples,
        language: str | None,
        task: str,
        timestamps: bool,
        options: Mapping[str, Any],
        max_new_tokens: int | None,
        cancel: Cancel,
    ) -> None:
        self.model, self.samples, self.cancel = model, samples, cancel
        self.language, self.task = language, task
        advice = {k: v for k, v in model.manifest.generation.items() if k not in UNFIT}
        self.options = Options.from_options(options, advice)
        self.timestamps = model.timestamps if timestamps else None
        self.max_new_tokens = max_new_tokens
        self.segments: list[Segment] = []
        self._source = self._listen()

    def __iter__(self) -> Iterator[Segment]:
        return self._source

    def __next__(self) -> Segment:
        return next(self._source)

    @property
    def result(self) -> Transcript:
        """What was heard so far."""
        tokens = [token for segment in self.segments for token in segment.tokens]
        seconds = len(self.samples) / self.model.audio.sampling_rate
        return Transcript(self.model.text_of(tokens), self.language, seconds, list(self.segments))

    @property
    def _form(self) -> AudioFormat:
        assert isinstance(self.model.audio, AudioFormat)
        return self.model.audio

    def _listen(self) -> Iterator[Segment]:
        form, stride = self._form, self.model.stride
        features = form.log_mel(self.samples, silence=form.window_samples)
        frames = -(-len(self.samples) // form.hop_length)
        place = 0
        while place < frames:
            sound = self.samples[place * form.hop_length :][: form.window_samples]
            steps = -(-min(frames - place, form.window_frames) // stride)
            cuts: list[Cut] = []
            following = steps
            if sound.any():  # in silence the model would hear what is not there
                window = features[:, place : place + form.window_frames]
                cuts, following = self._write(window, steps)
            for cut in cuts:
                if segment := self._segment(cut, place):
                    self.segments.append(segment)
                    yield segment
            place += following * stride

    def _write(self, window: NDArray[np.float32], steps: int) -> tuple[list[Cut], int]:
        """The segments of a window, and the steps until the next."""
        model = self.model
        sources = model.encoder([window], self.cancel)
        if self.language is None and model.speech.languages:
            chances = model.languages_of(sources, self.cancel)
            self.language = max(chances, key=chances.__getitem__)
        prompt = model.prompt(self.language, self.task, self.timestamps is not None)
        tokens = self._tokens(sources, prompt)
        if self.timestamps is None:
            return [Cut(0, steps, tokens)], steps
        return self.timestamps.cut(tokens, steps)

    def _tokens(self, sources: Sources, prompt: list[int], most: int = MOST) -> list[int]:
        """The ids of a window: `most`, where the caller does not say."""
        given = (self.options, self.max_new_tokens, most, self.timestamps)
        return written(
            self.model.decoder, self.model.manifest, sources, prompt, *given, self.cancel
        )

    def _segment(self, cut: Cut, place: int) -> Segment | None:
        """The segment with its times in the whole sound, unless it says nothing or lies behind."""
        form, text = self._form, self.model.text_of(cut.tokens)
        frames = [place + steps * self.model.stride for steps in (cut.start, cut.end)]
        start, end = (frame * form.hop_length / form.sampling_rate for frame in frames)
        last = len(self.samples) / form.sampling_rate
        if not text or start >= last:
            return None
        return Segment(round(start, 2), round(min(end, last), 2), text, cut.tokens)


class WaveTranscription(Transcription):
    """That of a model that hears samples, as many as there are: a segment for each window."""

    def _listen(self) -> Iterator[Segment]:
        form, speech = self.model.audio, self.model.speech
        assert isinstance(form, WaveFormat)
        if len(self.samples) < form.field:
            raise UsageError(
                f"the sound has {len(self.samples)} samples at {form.sampling_rate} per second; this "
                f"model needs {form.field} at least"
            )
        heard, cuts = form.heard(self.samples), form.cuts(self.samples)
        prompt = self.model.prompt(self.language, self.task, timestamps=False)
        for start, end in itertools.pairwise(cuts):
            if not self.samples[start:end].any():  # in silence it would hear what is not there
                continue
            seconds = (end - start) / form.sampling_rate
            most = math.ceil(seconds * (speech.tokens_per_second or MOST))
            tokens = self._tokens(self.model.encoder([heard[start:end]], self.cancel), prompt, most)
            if text := self.model.text_of(tokens):
                first, last = (round(place / form.sampling_rate, 2) for place in (start, end))
                segment = Segment(first, last, text, tokens)
                self.segments.append(segment)
                yield segment


class SpeechModel(TaskModel):
    """A loaded bundle of a speech model. Safe to use from several threads."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        manifest = self.manifest
        assert manifest.speech is not None and manifest.seq2seq is not None
        self.speech: Speech = manifest.speech
        self.audio = form = speech_format(manifest.audio or {})
        positions = manifest.seq2seq.source_context
        made: list[Any] = [1, "samples"]
        if isinstance(form, AudioFormat):
            made = [1, form.mels, form.window_frames]
            self.stride = form.window_frames // positions
        elif form.window > positions:
            raise BundleError(
                f"manifest.json: audio: window = {form.window} of {positions} at most"
            )
        read = [port.axes for port in manifest.graphs["encoder"].inputs]
        if read != [made]:
            raise BundleError(f"manifest.json: audio makes {made}, the encoder reads {shown(read)}")
        self.tokenizer = load_tokenizer(bundle.path(TOKENIZER))
        self.encoder = SensedEncoder(open_session(bundle, "encoder", threads), manifest)
        self.decoder = DecoderSession(open_session(bundle, "decoder", threads), manifest)

        self.graphs = {"encoder": self.encoder, "decoder": self.decoder}

    @property
    def samples(self) -> dict[str, str]:
        return {"decoder": "sounds"}

    def workloads(self) -> Iterator[Workload]:
        [sound] = sample_sounds(self.audio, 1)
        features = self.audio.heard(sound)

        def begin() -> tuple[Run, Any]:
            run = self.decoder.reading(self.encoder([features])).start()
            return run, run.append(self._start)

        hearing, window = (lambda: self.audio.heard(sound)), (lambda: self.encoder([features]))
        yield Workload("features", lambda: hearing, times=3, seconds="features_seconds")
        yield Workload("window", lambda: window, times=3, seconds="window_seconds")
        yield steps("step", "decode_per_second", begin, self.decoder.context)

    def sample_answers(self) -> Iterator[SampleAnswer]:
        first, second = sample_sources(self.audio, 2)
        probe = target_probe(self.manifest)
        return of_target(self.decoder, self.encoder, (first, second), probe)

    def first_token(self) -> None:
        sources = self.encoder(sample_sources(self.audio, 1))
        self.decoder.reading(sources).start().append(self._start)

    @property
    def timestamps(self) -> Timestamps | None:
        """The rules of this model's timestamps; None where it has none."""
        no_timestamps, ends = self.speech.no_timestamps, self.manifest.tokens.eos
        if no_timestamps is None:
            return None
        return Timestamps(no_timestamps + 1, min(ends), self.speech.latest_start)

    def transcribe(self, sound: object, **options: Any) -> Transcript:
        """The text of a sound, and its segments. Options as for `transcribe_stream`."""
        transcription = self.transcribe_stream(sound, **options)
        for _ in transcription:
            pass
        return transcription.result

    def transcribe_stream(
        self,
        sound: object,
        *,
        sample_rate: int | None = None,
        language: str | None = None,
        task: str | None = None,
        timestamps: bool | None = None,
        max_new_tokens: int | None = None,
        cancel: Cancel | None = None,
        **options: Any,
    ) -> Transcription:
        """The segments of a sound, one after the other.

        `sound` is a path, the bytes of a file, or float32 [samples] with `sample_rate`; `language` a
        code, a name, or "auto" to hear it. `task` "translate" writes English. `max_new_tokens` are of
        a window.
        """
        samples = read_waveform(sound, self.audio.sampling_rate, sample_rate)
        wanted = self.speech.timestamps if timestamps is None else timestamps
        if wanted and self.timestamps is None:
            raise UsageError("this model writes no timestamps")
        for name in UNFIT:
            if options.get(name) is not None:
                raise UsageError(f"{name} has no effect on a transcript")
        if max_new_tokens is not None and max_new_tokens < 1:
            raise UsageError(f"max_new_tokens = {max_new_tokens}; expected at least 1")
        kind = Transcription if isinstance(self.audio, AudioFormat) else WaveTranscription
        return kind(
            self,
            samples,
            self._language(language),
            self._task(task),
            # Of a longer sound they say where the next window begins.
            wanted or len(samples) > self.audio.window_samples,
            options,
            max_new_tokens,
            cancel or Cancel(),
        )

    def detect_language(self, sound: object, *, sample_rate: int | None = None) -> dict[str, float]:
        """Probability of each language by the first window of a sound, the likeliest first."""
        if not self.speech.languages:
            raise UsageError("this model knows one language")
        form = self.audio
        samples = read_waveform(sound, form.sampling_rate, sample_rate)[: form.window_samples]
        return self.languages_of(self.encoder([form.heard(samples)]))

    def languages_of(self, sources: Sources, cancel: Cancel | None = None) -> dict[str, float]:
        """Probability of each language of one window, the likeliest first."""
        codes, ids = zip(*self.speech.languages.items(), strict=True)
        logits = self.decoder.reading(sources).start(1, cancel).append(self._start)[0, list(ids)]
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        order = np.argsort(-chances, kind="stable")
        return {codes[place]: float(chances[place]) for place in order}

    def prompt(self, language: str | None, task: str, timestamps: bool) -> list[int]:
        """The ids that a window's text begins with."""
        speech, ids = self.speech, list(self._start)
        if language is not None:
            ids += [speech.languages[language], speech.tasks[task]]
        if not timestamps and speech.no_timestamps is not None:
            ids.append(speech.no_timestamps)
        return ids

    def text_of(self, tokens: list[int]) -> str:
        """The text of ids, without timestamps and special tokens."""
        first = (
            len(self.tokenizer.get_vocab()) if self.timestamps is None else self.timestamps.first
        )
        words = [token for token in tokens if token < first]
        return str(self.tokenizer.decode(words, skip_special_tokens=True)).strip()

    @property
    def _start(self) -> list[int]:
        assert self.manifest.seq2seq is not None
        return [self.manifest.seq2seq.start]

    def _language(self, asked: str | None) -> str | None:
        """The code of a language that is asked for, None where it has to be heard or there is but one."""
        known = self.speech.languages
        if asked is None:
            return self.speech.language
        if not isinstance(asked, str):
            raise UsageError(f"language = {shown(asked)}; expected a text")
        if not known:
            raise UsageError(f"language = {shown(asked)}; this model knows one language")
        if asked.lower() == HEARD:
            return None
        code = code_of(asked, known)
        if code is None:
            raise UsageError(
                f"language = {shown(asked, 40)} is unknown; {near(asked, [HEARD, *known])}"
            )
        return code

    def _task(self, asked: str | None) -> str:
        known = self.speech.tasks
        if asked is None:
            return self.speech.task
        if not known:
            raise UsageError(f"task = {shown(asked)}; this model only transcribes")
        if asked not in known:
            raise UsageError(f"task = {shown(asked)}; known: {', '.join(known)}")
        return asked
