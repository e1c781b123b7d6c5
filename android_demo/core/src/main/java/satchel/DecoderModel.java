package satchel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import satchel.bundle.Bundle;
import satchel.decoder.DecoderRun;
import satchel.decoder.DecoderSession;
import satchel.decoder.Probe;
import satchel.decoder.SampleAnswers;
import satchel.decoder.Workloads;
import satchel.generate.Generation;
import satchel.generate.Sampler;
import satchel.ort.Session;
import satchel.ort.Sessions;
import satchel.text.ChatFormat;

/** A loaded decoder-only bundle: generation, conversations, scores. Safe to use from several threads. */
public final class DecoderModel extends TextModel {
    private final Session session;
    private final DecoderSession decoder;
    private final ChatFormat chatFormat; // null: the bundle has none

    // The run that holds the last conversation: guarded by `talk`, but used outside of it.
    private final Object talk = new Object();
    private DecoderRun conversation;
    private boolean talking;
    private boolean closed;

    DecoderModel(Bundle bundle, Sessions sessions) {
        super(bundle);
        chatFormat = manifest.chat == null ? null : ChatFormat.from(manifest.chat);
        session = sessions.take("decoder");
        decoder = new DecoderSession(session, manifest);
    }

    /**
     * Answers a conversation, a list of {@link satchel.text.Message} or of maps of "role" and "content". What it
     * shares with the last one is not computed again. Options as for {@link #stream}.
     */
    public Generation chat(List<?> messages, Map<String, ?> options) {
        return chatStream(messages, options, null, null);
    }

    /** As {@link #chat}, piece by piece; the listener and what cancels it may be null. */
    public Generation chatStream(List<?> messages, Map<String, ?> options, Cancel cancel, TextListener listener) {
        Asked asked = new Asked(options, manifest);
        asked.checkStreamable();
        List<int[]> ids = Collections.singletonList(encodeChat(messages));
        TextBatch batch = batch(ids, asked, false, listener);
        write(batch, new KeptRun(cancel == null ? new Cancel() : cancel));
        return batch.results().get(0);
    }

    /** Ids of a conversation up to where the answer begins. */
    public int[] encodeChat(List<?> messages) {
        if (chatFormat == null) {
            throw SatchelException.usage("this bundle has no chat template; use generate");
        }
        return checked(chatFormat.encode(tokenizer, messages, true, promptLimit()));
    }

    /** [length][vocab]: at each position of a text, the next token's logits. */
    public float[][] logits(String prompt) {
        return decoder.logits(ids(prompt));
    }

    /** As with a text, of ids. */
    public float[][] logits(int[] prompt) {
        return decoder.logits(ids(prompt));
    }

    /** The log-probability of each token of a text after those before it. */
    public Score score(String prompt) {
        return scored(ids(prompt));
    }

    /** As with a text, of ids. */
    public Score score(int[] prompt) {
        return scored(ids(prompt));
    }

    private Score scored(final int[] ids) {
        if (ids.length < 2) {
            throw SatchelException.usage("a score needs at least two tokens");
        }
        final float[] logprobs = new float[ids.length - 1];
        DecoderRun run = decoder.start(1, new Cancel());
        try {
            run.appendEach(Arrays.copyOf(ids, ids.length - 1), new DecoderRun.Reader() {
                @Override
                public void row(int place, float[] logits) {
                    logprobs[place] =
                            (float) Sampler.logProbability(logits, 0, logits.length, ids[place + 1]);
                }
            });
            run.release();
        } finally {
            run.close();
        }
        return new Score(ids, logprobs);
    }

    @Override
    public List<SampleAnswer> sampleAnswers() {
        return SampleAnswers.ofDecoder(decoder, Probe.of(manifest));
    }

    @Override
    public List<Workload> workloads() {
        List<Workload> workloads = new ArrayList<Workload>(Workloads.prefills(decoder));
        workloads.add(Workloads.decoding(decoder));
        return workloads;
    }

    @Override
    public boolean firstToken() {
        DecoderRun run = decoder.start(1, new Cancel());
        try {
            run.append(Workloads.someIds(
                    manifest.vocabSize, Math.min(DecoderSession.FEW, manifest.context)));
        } finally {
            run.close();
        }
        return true;
    }

    @Override
    public int threads() {
        return session.threads;
    }

    @Override
    int promptLimit() {
        return manifest.context;
    }

    @Override
    int[] before(int[] prompt) {
        return prompt;
    }

    @Override
    Lease lease(final List<int[]> prompts, final Cancel cancel) {
        return new Lease() {
            private DecoderRun run;

            @Override
            DecoderRun begin() {
                run = decoder.start(prompts.size(), cancel);
                return run;
            }

            @Override
            void end(boolean well) {
                ended(run, well);
            }
        };
    }

    private static void ended(DecoderRun run, boolean well) {
        if (run == null) {
            return;
        }
        if (well) {
            run.release();
        }
        run.close();
    }

    /** The run that holds the last conversation, or a new one while another thread uses that. */
    private final class KeptRun extends Lease {
        private final Cancel cancel;
        private DecoderRun run;
        private boolean kept;

        KeptRun(Cancel cancel) {
            this.cancel = cancel;
        }

        @Override
        DecoderRun begin() {
            synchronized (talk) {
                kept = !talking && !closed;
                talking |= kept;
                run = kept ? conversation : null;
                conversation = kept ? null : conversation;
            }
            if (run == null) {
                run = decoder.start(1, cancel);
            }
            run.cancelBy(cancel);
            return run;
        }

        @Override
        void end(boolean well) {
            synchronized (talk) {
                if (kept) {
                    talking = false;
                    if (!closed && well) {
                        conversation = run;
                        return;
                    }
                }
            }
            ended(run, well);
        }
    }

    @Override
    public void close() {
        DecoderRun last;
        synchronized (talk) {
            closed = true;
            last = conversation;
            conversation = null;
        }
        ended(last, false);
        decoder.close();
        session.close();
    }
}
