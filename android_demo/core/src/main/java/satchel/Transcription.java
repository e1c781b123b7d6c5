package satchel;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import satchel.bundle.Manifest;
import satchel.decoder.DecoderRun;
import satchel.decoder.Sources;
import satchel.generate.Beams;
import satchel.generate.GenerationLoop;
import satchel.generate.Hypothesis;
import satchel.generate.Lookup;
import satchel.generate.Options;
import satchel.generate.Processor;
import satchel.generate.Processors;
import satchel.generate.Row;
import satchel.generate.Sampler;
import satchel.generate.Search;
import satchel.speech.Features;
import satchel.speech.TimeRules;
import satchel.speech.Timestamps;
import satchel.speech.Timestamps.Cut;
import satchel.speech.Timestamps.Cuts;

/**
 * Segments of a sound as they are written: iterate once, in one thread. Long sound is read window by window (Radford
 * et al., 2022, section 3.8): the next begins where the last segment written to its end has ended. Throws CANCELLED
 * where that was asked for.
 */
public final class Transcription implements Iterator<Segment> {
    private static final int DIGITS = 2; // of seconds

    private final SpeechModel model;
    private final float[] samples;
    private final Features features;
    private final int frames; // of the sound, without the silence behind it
    private final String task;
    private final Timestamps timestamps; // null where none are wanted
    private final Options options;
    private final Integer mostTokens;
    private final Cancel cancel;
    private final List<Segment> segments = new ArrayList<Segment>();
    private final Queue<Segment> waiting = new LinkedList<Segment>();
    private String language;
    private int place; // frames that were heard

    Transcription(SpeechModel model, float[] samples, String language, String task, boolean timed, Options options,
            Integer mostTokens, Cancel cancel) {
        this.model = model;
        this.samples = samples;
        this.language = language;
        this.task = task;
        this.timestamps = timed ? model.timestamps : null;
        this.options = options;
        this.mostTokens = mostTokens;
        this.cancel = cancel;
        int hop = model.audio.hopLength;
        features = model.audio.logMel(samples, model.audio.windowSamples());
        frames = (int) (((long) samples.length + hop - 1) / hop);
    }

    /** What was heard so far. */
    public Transcript result() {
        int count = 0;
        for (Segment segment : segments) {
            count += segment.tokens.length;
        }
        int[] tokens = new int[count];
        int at = 0;
        for (Segment segment : segments) {
            System.arraycopy(segment.tokens, 0, tokens, at, segment.tokens.length);
            at += segment.tokens.length;
        }
        double seconds = (double) samples.length / model.audio.samplingRate;
        return new Transcript(model.textOf(tokens), language, seconds, new ArrayList<Segment>(segments));
    }

    @Override
    public boolean hasNext() {
        while (waiting.isEmpty() && place < frames) {
            hear();
        }
        return !waiting.isEmpty();
    }

    @Override
    public Segment next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Segment segment = waiting.remove();
        segments.add(segment);
        return segment;
    }

    @Override
    public void remove() {
        throw new UnsupportedOperationException();
    }

    /** The next window. */
    private void hear() {
        int most = Math.min(frames - place, model.audio.windowFrames());
        int steps = (most + model.stride - 1) / model.stride;
        int following = steps;
        if (sounds()) { // in silence the model would hear what is not there
            Cuts cuts = write(steps);
            following = cuts.following;
            for (Cut cut : cuts.cuts) {
                Segment segment = segment(cut);
                if (segment != null) {
                    waiting.add(segment);
                }
            }
        }
        place += following * model.stride;
    }

    private boolean sounds() {
        long first = (long) place * model.audio.hopLength;
        long end = Math.min(samples.length, first + model.audio.windowSamples());
        for (long i = first; i < end; ++i) {
            if (samples[(int) i] != 0) {
                return true;
            }
        }
        return false;
    }

    private Cuts write(int steps) {
        float[] window = features.window(place, model.audio.windowFrames());
        Sources sources = model.encoder.read(new float[][] {window}, cancel);
        try {
            if (language == null && !model.manifest.speech.languages.isEmpty()) {
                language = model.languagesOf(sources, cancel).keySet().iterator().next();
            }
            int[] tokens = tokens(sources, model.prompt(language, task, timestamps != null));
            return timestamps == null ? Cuts.one(tokens, steps) : timestamps.cut(tokens, steps);
        } finally {
            sources.close();
        }
    }

    private int[] tokens(Sources sources, int[] prompt) {
        Manifest manifest = model.manifest;
        int[] ends = manifest.tokens.eos;
        int room = manifest.context - prompt.length;
        int limit = Math.min(room, mostTokens != null ? mostTokens : advised(room));
        List<Processor> changes = new ArrayList<Processor>(
                Processors.of(options, manifest.vocabSize, ends, prompt.length, limit, prompt));
        if (timestamps != null) {
            changes.add(new TimeRules(timestamps));
        }
        int[] tokens;
        String reason;
        DecoderRun run = model.decoder.reading(sources).start(1, cancel);
        try {
            if (options.numBeams > 1) {
                Search search = new Search(prompt, changes, limit);
                Beams.search(run, Collections.singletonList(search), options, ends);
                Hypothesis best = search.found.get(0);
                tokens = best.tokens;
                reason = best.finishReason;
            } else {
                Row row = new Row(prompt, new Sampler(options, changes), limit, prompt.length, false);
                row.lookup = Boolean.TRUE.equals(options.lookup) ? new Lookup(prompt) : null;
                GenerationLoop.run(run, new Row[] {row}, ends, null);
                tokens = row.tokens();
                reason = row.finishReason;
            }
            run.release();
        } finally {
            run.close();
        }
        if ("cancelled".equals(reason)) {
            throw SatchelException.error("the transcription was cancelled", "CANCELLED");
        }
        return tokens;
    }

    /** New tokens that the checkpoint writes at most; it does not count the prompt as a part of max_length here. */
    private int advised(int room) {
        for (String name : new String[] {"max_new_tokens", "max_length"}) {
            Object value = model.manifest.generation.get(name);
            if (value instanceof Number) {
                return (int) Math.min(Integer.MAX_VALUE, ((Number) value).longValue());
            }
        }
        return room;
    }

    /** The segment with its times in the whole sound, null where it says nothing or lies behind. */
    private Segment segment(Cut cut) {
        String text = model.textOf(cut.tokens);
        double rate = model.audio.samplingRate;
        double start = (place + cut.start * model.stride) * (long) model.audio.hopLength / rate;
        double end = (place + cut.end * model.stride) * (long) model.audio.hopLength / rate;
        double last = samples.length / rate;
        if (text.isEmpty() || start >= last) {
            return null;
        }
        return new Segment(rounded(start), rounded(Math.min(end, last)), text, cut.tokens);
    }

    private static double rounded(double seconds) {
        return new BigDecimal(seconds).setScale(DIGITS, RoundingMode.HALF_EVEN).doubleValue();
    }
}
