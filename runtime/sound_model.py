"""What an app holds: a loaded bundle that hears and writes letters, names labels or gives a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.bundle import Bundle
from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.errors import UsageError
from satchel.runtime.filter_banks import framed, sample_frames
from satchel.runtime.sample_answers import SampleAnswer, of_encoder
from satchel.runtime.scores import Classification, classified
from satchel.runtime.session import open_session
from satchel.runtime.task_model import TaskModel, for_its_task
from satchel.runtime.transcript import Transcript, letters, text_of, words
from satchel.runtime.waveform import read_waveform
from satchel.runtime.workloads import Workload, encoding

Array = NDArray[np.float32]
STATES = "last_hidden_state"
TIMED = (1, 5, 20)  # seconds


class SoundModel(TaskModel):
    """A loaded bundle of an encoder of sounds. Safe to use from several threads.

    A sound is a path, the bytes of a file, or float32 [samples] with `sample_rate`. Methods that take a
    list keep its order; an empty list gives an empty result.
    """

    writes = False

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        manifest = self.manifest
        self.audio = framed(manifest.audio or {})
        session = open_session(bundle, "sound", threads)
        self.encoder = EncoderSession(session, manifest.graphs["sound"], manifest.vocab_size)
        self.graphs: Mapping[str, EncoderSession] = {"sound": self.encoder}

    @property
    def samples(self) -> dict[str, str]:
        return {"sound": "waves"}

    def workloads(self) -> Iterator[Workload]:
        form = self.audio
        lengths = (max(seconds * form.sampling_rate, form.field) for seconds in TIMED)
        inputs = {
            f"{seconds}_s": {form.input_name: form.heard(np.zeros(length, np.float32))[None]}
            for seconds, length in zip(TIMED, lengths, strict=True)
        }
        yield from encoding("sound", self.encoder, "sounds", inputs)

    def sample_answers(self) -> Iterator[SampleAnswer]:
        [sound] = sample_frames(self.audio, 1)
        inputs = {self.audio.input_name: sound[None]}
        # One sound keeps every core busy, and so the graph reads one: there is no company to compare.
        yield from of_encoder("sound", self.encoder, inputs, None, self.manifest.probe["sound"])

    @for_its_task
    def transcribe(self, sound: object, *, sample_rate: int | None = None) -> Transcript:
        """The text of a sound, and its words as segments."""
        form = self.audio
        heard, seconds = self._read(sound, sample_rate)
        labels = self.manifest.labels
        assert labels is not None
        ids = [token for rows in self._frames(heard) for token in rows.argmax(1).tolist()]
        found = letters(ids, labels.names)
        segments = list(words(found, form.stride / form.sampling_rate))
        return Transcript(text_of(found, form.tidied), None, seconds, segments)

    @for_its_task
    def embed_sounds(self, sounds: Any, *, sample_rate: int | None = None) -> Array:
        """float32 [n, dim] of one sound or a list: the mean of the states of all frames."""
        return self._means(sounds, sample_rate)

    @for_its_task
    def classify_sounds(
        self, sounds: Any, *, sample_rate: int | None = None
    ) -> list[Classification]:
        """A Classification per sound."""
        labels = self.manifest.labels
        assert labels is not None
        return [classified(row, labels) for row in self._means(sounds, sample_rate)]

    @for_its_task
    def sound_hidden_states(self, sound: object, *, sample_rate: int | None = None) -> Array:
        """float32 [frames, hidden]: the last layer's states of a sound."""
        heard, _ = self._read(sound, sample_rate)
        return np.concatenate(list(self._frames(heard, STATES)))

    def _frames(self, heard: Array, output: str | None = None) -> Iterator[Array]:
        """Rows of an output for all frames, window by window."""
        form = self.audio
        count = form.count(heard)
        for first, kept, end in form.windows(count):
            rows = self._answer(heard, first, min(first + form.window, count), output)
            yield rows[kept - first : end - first]

    def _means(self, sounds: Any, sample_rate: int | None) -> Array:
        """Answers that are means over frames, of long sounds over all of their parts."""
        items = list(sounds) if isinstance(sounds, list | tuple) else [sounds]
        rows = np.zeros((len(items), self.encoder.answer_size), np.float32)
        for row, item in zip(rows, items, strict=True):
            heard, _ = self._read(item, sample_rate)
            count = self.audio.count(heard)
            for first, end in self.audio.parts(count):
                row += self._answer(heard, first, end) * np.float32((end - first) / count)
        return rows

    def _answer(self, heard: Array, first: int, end: int, output: str | None = None) -> Array:
        """An output for the frames from `first` to before `end`."""
        piece = self.audio.piece(heard, first, end)
        answer: Array = self.encoder({self.audio.input_name: piece[None]}, output)[0]
        return answer

    def _read(self, sound: object, sample_rate: int | None) -> tuple[Array, float]:
        """A sound as the graph wants it, and its seconds."""
        form = self.audio
        samples = read_waveform(sound, form.sampling_rate, sample_rate)
        if len(samples) < form.field:
            raise UsageError(
                f"the sound has {len(samples)} samples at {form.sampling_rate} per second; "
                f"this model needs {form.field} at least"
            )
        return form.heard(samples), len(samples) / form.sampling_rate
