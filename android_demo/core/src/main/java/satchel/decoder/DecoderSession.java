package satchel.decoder;

import satchel.Cancel;
import satchel.bundle.Manifest;
import satchel.ort.Session;

/**
 * A session of a decoder graph and the limits its manifest names: ids in, logits out. Knows no text and no
 * sampling. Safe to use from several threads.
 *
 * <p>Where it reads sources, the rows of one source follow one another, equally many for each, and share what is
 * known of it.
 */
public final class DecoderSession implements AutoCloseable {
    /**
     * Positions of a long prompt per run: bounds the memory of activations, and what attention works out only to
     * mask it.
     */
    public static final int CHUNK = 128;

    /** Ids at most that are read ahead of a text, with its next. */
    public static final int FEW = 16;

    /** Positions that a text may have. */
    public final int context;

    public final int vocabSize;

    final Session session;
    final Manifest manifest;
    final Sources sources;
    final Memory memory;

    public DecoderSession(Session session, Manifest manifest) {
        this(session, manifest, null, new Memory());
    }

    private DecoderSession(Session session, Manifest manifest, Sources sources, Memory memory) {
        this.session = session;
        this.manifest = manifest;
        this.sources = sources;
        this.memory = memory;
        context = manifest.context;
        vocabSize = manifest.vocabSize;
    }

    /** The same decoder over sources, which the caller closes. */
    public DecoderSession reading(Sources over) {
        return new DecoderSession(session, manifest, over, memory);
    }

    /**
     * A new batch of empty texts, a multiple of the sources where there are any. The caller closes it; after a
     * good end it may {@link DecoderRun#release} it first, so that its memory serves the next.
     */
    public DecoderRun start(int batch, Cancel cancel) {
        return new DecoderRun(this, batch, cancel);
    }

    /** [length][vocab]: at each position of some ids, the logits of the next. */
    public float[][] logits(int[] ids) {
        final float[][] logits = new float[ids.length][];
        DecoderRun run = start(1, new Cancel());
        try {
            run.appendEach(ids, new DecoderRun.Reader() {
                @Override
                public void row(int place, float[] values) {
                    logits[place] = values.clone();
                }
            });
            run.release();
        } finally {
            run.close();
        }
        return logits;
    }

    /** Gives back the memory that waits for the next run. The session is whoever's opened it. */
    @Override
    public void close() {
        memory.close();
    }
}
