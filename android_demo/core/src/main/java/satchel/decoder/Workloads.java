package satchel.decoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.Cancel;
import satchel.Workload;
import satchel.encoder.SampleNumbers;
import satchel.generate.Logits;

/** What bundles with a decoder are timed at. */
public final class Workloads {
    private static final int PROMPT = 128;
    private static final int DECODE = 64;
    private static final int[] LENGTHS = {16, 128, 512};
    public static final int SOURCE = 64; // tokens of a source
    private static final int[] SOURCES = {1, 8}; // how many at once
    private static final int ROUNDS = 5;

    private Workloads() {}

    /** Prompts of some lengths, each read from an empty cache. */
    public static List<Workload> prefills(final DecoderSession decoder) {
        int[] ids = someIds(decoder.vocabSize, LENGTHS[LENGTHS.length - 1]);
        List<Workload> workloads = new ArrayList<Workload>();
        for (int length : LENGTHS) {
            if (length >= decoder.context) {
                continue;
            }
            final int[] prompt = Arrays.copyOf(ids, length);
            workloads.add(new Workload(
                    "prefill " + length,
                    length,
                    1,
                    "first_token_" + length + "_seconds",
                    "prefill_" + length + "_per_second") {
                private DecoderRun run;

                @Override
                public void prepare() {
                    run = decoder.start(1, new Cancel());
                }

                @Override
                public void call() {
                    run.append(prompt);
                }

                @Override
                public void finish() {
                    run.close();
                }
            });
        }
        return workloads;
    }

    /** Greedy tokens after a prompt. */
    public static Workload decoding(final DecoderSession decoder) {
        int length = Math.min(PROMPT, decoder.context / 2);
        final int[] prompt = someIds(decoder.vocabSize, length);
        return new Steps("step after " + length, "decode_per_second", decoder.context, 1) {
            @Override
            protected Logits begin() {
                run = decoder.start(1, new Cancel());
                return run.append(prompt);
            }
        };
    }

    /** Sources, alone and in a batch, and greedy targets of them. */
    public static List<Workload> translating(
            final SourceEncoder encoder, final DecoderSession decoder, final int start) {
        int length = Math.min(SOURCE, encoder.context);
        List<Workload> workloads = new ArrayList<Workload>();
        for (final int count : SOURCES) {
            int[] ids = someIds(encoder.vocabSize, count * length);
            final int[][] rows = new int[count][];
            for (int row = 0; row < count; ++row) {
                rows[row] = Arrays.copyOfRange(ids, row * length, (row + 1) * length);
            }
            String name = "source_" + count + "x" + length;
            workloads.add(new Workload(
                    "source " + count + "x" + length,
                    count * length,
                    1 + ROUNDS,
                    name + "_seconds",
                    name + "_per_second") {
                @Override
                public void call() {
                    encoder.read(rows, null).close();
                }
            });
            workloads.add(new Steps("step of " + count, "decode_" + count + "_per_second", decoder.context, count) {
                @Override
                protected Logits begin() {
                    sources = encoder.read(rows, null);
                    run = decoder.reading(sources).start(count, new Cancel());
                    int[][] starts = new int[count][1];
                    for (int[] one : starts) {
                        one[0] = start;
                    }
                    return run.prefill(starts);
                }
            });
        }
        return workloads;
    }

    /** Greedy tokens of some texts, one each in a call. */
    public abstract static class Steps extends Workload {
        /** What `begin` fills in, and `finish` closes. */
        protected DecoderRun run;

        protected Sources sources; // null where there are none
        private Logits logits;
        private final int[] tokens;

        protected Steps(String name, String rate, int context, int rows) {
            super(name, rows, Math.min(DECODE, context / 2), null, rate);
            tokens = new int[rows];
        }

        /** A new run, and its logits. */
        protected abstract Logits begin();

        @Override
        public void prepare() {
            logits = begin();
        }

        @Override
        public void call() {
            for (int row = 0; row < tokens.length; ++row) {
                tokens[row] = best(logits, row);
            }
            logits = run.step(tokens, null);
        }

        @Override
        public void finish() {
            run.close();
            if (sources != null) {
                sources.close();
            }
        }
    }

    /** Ids that are the same in every run. */
    public static int[] someIds(int vocabSize, int count) {
        return new SampleNumbers().below(vocabSize, count);
    }

    private static int best(Logits logits, int row) {
        int first = row * logits.size;
        int best = 0;
        for (int id = 1; id < logits.size; ++id) {
            if (logits.values[first + id] > logits.values[first + best]) {
                best = id;
            }
        }
        return best;
    }
}
