package satchel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.bundle.Bundle;
import satchel.bundle.Manifest;
import satchel.decoder.DecoderRun;
import satchel.decoder.DecoderSession;
import satchel.decoder.Probe;
import satchel.decoder.SampleAnswers;
import satchel.decoder.Sources;
import satchel.decoder.SpeechEncoder;
import satchel.decoder.Workloads;
import satchel.generate.Logits;
import satchel.generate.Options;
import satchel.ort.Session;
import satchel.ort.Sessions;
import satchel.speech.AudioFormat;
import satchel.speech.Features;
import satchel.speech.Languages;
import satchel.speech.SampleSounds;
import satchel.speech.Timestamps;
import satchel.text.Whitespace;
import satchel.tokenizer.Tokenizer;

/** A loaded bundle of a speech model: sound in, text with its times out. Safe to use from several threads. */
public final class SpeechModel extends Model implements Measured {
    private static final Map<String, Object> NO_OPTIONS = Collections.emptyMap();

    final AudioFormat audio;
    final SpeechEncoder encoder;
    final DecoderSession decoder;
    /** Frames of a step of time. */
    final int stride;
    /** The rules of this model's timestamps; null where it has none. */
    final Timestamps timestamps;
    private final Session encoderSession;
    private final Session decoderSession;
    private final Tokenizer tokenizer;

    SpeechModel(Bundle bundle, Sessions sessions) {
        super(bundle);
        Manifest.Speech speech = manifest.speech;
        audio = new AudioFormat(manifest.audio);
        checkFeatures();
        stride = audio.windowFrames() / manifest.seq2seq.sourceContext;
        timestamps = speech.noTimestamps == null
                ? null
                : new Timestamps(speech.noTimestamps + 1, least(manifest.tokens.eos), speech.latestStart);
        tokenizer = Tokenizer.read(bundle.file(Bundle.TOKENIZER));
        encoderSession = sessions.take("encoder");
        boolean made = false;
        try {
            decoderSession = sessions.take("decoder");
            made = true;
        } finally {
            if (!made) {
                encoderSession.close();
            }
        }
        encoder = new SpeechEncoder(encoderSession, manifest);
        decoder = new DecoderSession(decoderSession, manifest);
    }

    private void checkFeatures() {
        Object[] made = {1, audio.mels, audio.windowFrames()};
        List<Manifest.Port> inputs = manifest.graphs.get("encoder").inputs;
        if (inputs.size() != 1 || !Arrays.equals(inputs.get(0).axes, made)) {
            List<String> read = new ArrayList<String>();
            for (Manifest.Port port : inputs) {
                read.add(Arrays.toString(port.axes));
            }
            throw SatchelException.bundle("manifest.json: audio makes " + Arrays.toString(made)
                    + ", the encoder reads " + SatchelException.shown(read));
        }
    }

    private static int least(int[] ids) {
        int least = ids[0];
        for (int id : ids) {
            least = Math.min(least, id);
        }
        return least;
    }

    /** The text of a sound, and its segments. */
    public Transcript transcribe(Sound sound) {
        return transcribe(sound, NO_OPTIONS, null);
    }

    /** The text of a sound, and its segments. Options and what stops it as for {@link #transcribeStream}. */
    public Transcript transcribe(Sound sound, Map<String, ?> options, Cancel cancel) {
        require("transcribe");
        Transcription transcription = transcribeStream(sound, options, cancel);
        while (transcription.hasNext()) {
            transcription.next();
        }
        return transcription.result();
    }

    /**
     * The segments of a sound, one after the other as they are written.
     *
     * @param options by their names: "language" is a code, a name, or "auto" to hear it; "task" "translate" writes
     *     English; "timestamps" true or false; "max_new_tokens" of a window; and options of a generation such as
     *     "num_beams"
     * @param cancel stops it from another thread; or null
     */
    public Transcription transcribeStream(Sound sound, Map<String, ?> options, Cancel cancel) {
        require("transcribe_stream");
        float[] samples = sound.samples(audio.samplingRate);
        Map<String, Object> left = new LinkedHashMap<String, Object>(options);
        Object language = left.remove("language");
        Object task = left.remove("task");
        Object times = left.remove("timestamps");
        Integer most = count("max_new_tokens", left.remove("max_new_tokens"));
        if (times != null && !(times instanceof Boolean)) {
            throw SatchelException.usage("timestamps = " + SatchelException.shown(times) + "; expected true or false");
        }
        boolean wanted = times == null ? manifest.speech.timestamps : (Boolean) times;
        if (wanted && timestamps == null) {
            throw SatchelException.usage("this model writes no timestamps");
        }
        for (String name : Options.unfit("transcribe")) {
            if (left.get(name) != null) {
                throw SatchelException.usage(name + " has no effect on a transcript");
            }
        }
        // Of a longer sound they say where the next window begins.
        boolean timed = timestamps != null && (wanted || samples.length > audio.windowSamples());
        Map<String, Object> advice = new LinkedHashMap<String, Object>(manifest.generation);
        advice.keySet().removeAll(Options.unfit("transcribe"));
        return new Transcription(this, samples, language(language), taskNamed(task), timed,
                Options.from(left, advice), most, cancel == null ? new Cancel() : cancel);
    }

    private static Integer count(String name, Object value) {
        if (value == null) {
            return null;
        }
        boolean whole = value instanceof Integer || value instanceof Long;
        long count = whole ? ((Number) value).longValue() : 0;
        if (count < 1) {
            throw SatchelException.usage(name + " = " + SatchelException.shown(value) + "; expected at least 1");
        }
        return (int) Math.min(count, Integer.MAX_VALUE);
    }

    /** Probability of each language by the first window of a sound, the likeliest first. */
    public Map<String, Double> detectLanguage(Sound sound) {
        require("detect_language");
        if (manifest.speech.languages.isEmpty()) {
            throw SatchelException.usage("this model knows one language");
        }
        float[] samples = sound.samples(audio.samplingRate);
        if (samples.length > audio.windowSamples()) {
            samples = Arrays.copyOf(samples, audio.windowSamples());
        }
        float[] window = audio.logMel(samples, 0).window(0, audio.windowFrames());
        Sources sources = encoder.read(new float[][] {window}, null);
        try {
            return languagesOf(sources, new Cancel());
        } finally {
            sources.close();
        }
    }

    /** Probability of each language of one window, the likeliest first. */
    Map<String, Double> languagesOf(Sources sources, Cancel cancel) {
        List<String> codes = new ArrayList<String>(manifest.speech.languages.keySet());
        float[] chances = new float[codes.size()];
        DecoderRun run = decoder.reading(sources).start(1, cancel);
        try {
            Logits logits = run.append(new int[] {manifest.seq2seq.start});
            for (int i = 0; i < chances.length; ++i) {
                chances[i] = logits.values[manifest.speech.languages.get(codes.get(i))];
            }
        } finally {
            run.close();
        }
        return Languages.chances(codes, chances);
    }

    /** The ids that a window's text begins with. */
    int[] prompt(String language, String task, boolean timed) {
        Manifest.Speech speech = manifest.speech;
        int[] ids = new int[4];
        int count = 0;
        ids[count++] = manifest.seq2seq.start;
        if (language != null) {
            ids[count++] = speech.languages.get(language);
            ids[count++] = speech.tasks.get(task);
        }
        if (!timed && speech.noTimestamps != null) {
            ids[count++] = speech.noTimestamps;
        }
        return Arrays.copyOf(ids, count);
    }

    /** The text of ids, without timestamps and special tokens. */
    String textOf(int[] tokens) {
        int[] words = new int[tokens.length];
        int count = 0;
        for (int token : tokens) {
            boolean time = timestamps == null ? tokenizer.idToToken(token) == null : token >= timestamps.first;
            if (!time) {
                words[count++] = token;
            }
        }
        return count == 0 ? "" : Whitespace.stripped(tokenizer.decode(Arrays.copyOf(words, count), true));
    }

    /** The code of a language that is asked for, null where it has to be heard or there is but one. */
    private String language(Object asked) {
        Map<String, Integer> known = manifest.speech.languages;
        if (asked == null) {
            return manifest.speech.language;
        }
        String named = "language = " + SatchelException.shown(asked, 40);
        if (!(asked instanceof String)) {
            throw SatchelException.usage(named + "; expected a text");
        }
        if (known.isEmpty()) {
            throw SatchelException.usage(named + "; this model knows one language");
        }
        if (Languages.isHeard((String) asked)) {
            return null;
        }
        String code = Languages.codeOf((String) asked, known.keySet());
        if (code == null) {
            throw SatchelException.usage(named + " is unknown; " + Languages.near((String) asked, known.keySet()));
        }
        return code;
    }

    private String taskNamed(Object asked) {
        Map<String, Integer> known = manifest.speech.tasks;
        if (asked == null) {
            return manifest.speech.task;
        }
        String named = "task = " + SatchelException.shown(asked);
        if (known.isEmpty()) {
            throw SatchelException.usage(named + "; this model only transcribes");
        }
        if (!known.containsKey(asked)) {
            String names = known.keySet().toString();
            throw SatchelException.usage(named + "; known: " + names.substring(1, names.length() - 1));
        }
        return (String) asked;
    }

    @Override
    public List<SampleAnswer> sampleAnswers() {
        final float[][] sounds = SampleSounds.of(audio, 2);
        SampleAnswers.Reader reader = new SampleAnswers.Reader() {
            @Override
            public Sources read(int... which) {
                float[][] windows = new float[which.length][];
                for (int i = 0; i < windows.length; ++i) {
                    windows[i] = features(sounds[which[i]]);
                }
                return encoder.read(windows, null);
            }
        };
        return SampleAnswers.ofTarget(decoder, reader, Probe.of(manifest));
    }

    private float[] features(float[] sound) {
        Features features = audio.logMel(sound, 0);
        return features.window(0, audio.windowFrames());
    }

    @Override
    public List<Workload> workloads() {
        final float[] sound = SampleSounds.of(audio, 1)[0];
        final float[][] window = {features(sound)};
        List<Workload> workloads = new ArrayList<Workload>();
        workloads.add(new Workload("features", 1, 3, "features_seconds", null) {
            @Override
            public void call() {
                audio.logMel(sound, 0);
            }
        });
        workloads.add(new Workload("window", 1, 3, "window_seconds", null) {
            @Override
            public void call() {
                encoder.read(window, null).close();
            }
        });
        workloads.add(new Workloads.Steps("step", "decode_per_second", decoder.context, 1) {
            @Override
            protected Logits begin() {
                sources = encoder.read(window, null);
                run = decoder.reading(sources).start(1, new Cancel());
                return run.append(new int[] {manifest.seq2seq.start});
            }
        });
        return workloads;
    }

    @Override
    public boolean firstToken() {
        Sources sources = encoder.read(new float[][] {features(SampleSounds.of(audio, 1)[0])}, null);
        try {
            DecoderRun run = decoder.reading(sources).start(1, new Cancel());
            try {
                run.append(new int[] {manifest.seq2seq.start});
            } finally {
                run.close();
            }
        } finally {
            sources.close();
        }
        return true;
    }

    @Override
    public int threads() {
        return decoderSession.threads;
    }

    @Override
    public void close() {
        decoder.close();
        decoderSession.close();
        encoderSession.close();
    }
}
