package satchel.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import satchel.Answer;
import satchel.SatchelException;
import satchel.Span;
import satchel.bundle.Manifest;

/** Texts in, what a head says of them out: logits of texts and pairs, spans, answers and fillings. */
public final class Readings {
    private final Preparation prepare;
    private final EncoderSession encoder;
    private final Manifest.Labels labels;

    public Readings(Preparation prepare, EncoderSession encoder, Manifest.Labels labels) {
        this.prepare = prepare;
        this.encoder = encoder;
        this.labels = labels;
    }

    /** The logits of each text, or pair where there are second texts, behind a prompt. */
    public float[][] logits(List<String> texts, List<String> pairs, String prompt) {
        List<Piece> pieces = new ArrayList<Piece>();
        for (int i = 0; i < texts.size(); ++i) {
            String first = prepare.behind(prompt, texts.get(i));
            if (pairs != null && pairs.get(i) == null) {
                throw SatchelException.usage("expected a text, got null");
            }
            pieces.add(prepare.encode(first, pairs == null ? null : pairs.get(i)));
        }
        return logits(pieces);
    }

    private float[][] logits(List<Piece> pieces) {
        int[][] ids = new int[pieces.size()][];
        int[][] types = new int[ids.length][];
        for (int i = 0; i < ids.length; ++i) {
            ids[i] = pieces.get(i).ids;
            types[i] = pieces.get(i).types;
        }
        EncoderSession.Kept kept = new EncoderSession.Kept(ids.length);
        encoder.texts(ids, prepare.settings.tokenTypes ? types : null, null, null, kept);
        return kept.rows;
    }

    /** Labelled spans of each text; with a window too long a text is read in pieces. */
    public List<List<Span>> spans(List<String> texts, Integer window) {
        List<List<Piece>> pieces = new ArrayList<List<Piece>>();
        List<Piece> all = new ArrayList<Piece>();
        for (String text : texts) {
            List<Piece> parts = window == null
                    ? Collections.singletonList(prepare.encode(text, null))
                    : prepare.pieces(text, window);
            pieces.add(parts);
            all.addAll(parts);
        }
        List<float[]> rows = Arrays.asList(logits(all));
        List<List<Span>> spans = new ArrayList<List<Span>>();
        int read = 0;
        for (int i = 0; i < texts.size(); ++i) {
            List<Piece> parts = pieces.get(i);
            List<float[]> theirs = rows.subList(read, read + parts.size());
            read += parts.size();
            Assembled whole = new Assembled(parts, theirs, window == null ? 0 : window, 0);
            float[] scores = new float[whole.logits.length];
            for (int row = 0; row < whole.starts.length; ++row) {
                float[] one = Scores.activated(whole.logits, row * whole.width, whole.width, "softmax");
                System.arraycopy(one, 0, scores, row * whole.width, whole.width);
            }
            spans.add(Spans.merged(texts.get(i), whole.starts, whole.ends, whole.words, scores, labels.names));
        }
        return spans;
    }

    /** The likeliest answers to a question by a context of any length. */
    public List<Answer> answers(String question, String context, int top, int longest) {
        Preparation.Asked asked = prepare.question(question, context);
        List<float[]> logits = Arrays.asList(logits(asked.pieces));
        // That one piece has no answer says nothing of the others: the least sure of it counts.
        float[] none = null;
        for (float[] rows : logits) {
            if (none == null || rows[0] + rows[1] < none[0] + none[1]) {
                none = new float[] {rows[0], rows[1]};
            }
        }
        Assembled whole = new Assembled(asked.pieces, logits, asked.overlap, 1);
        return Answers.best(context, whole.starts, whole.ends, whole.logits, none, longest, top);
    }

    /** The probability of every token at the one mask of a text, whose id and name are given. */
    public float[] chancesAt(String text, int mask, String name) {
        final int[] ids = prepare.encode(text, null).ids;
        int count = 0;
        int last = 0;
        for (int place = 0; place < ids.length; ++place) {
            if (ids[place] == mask) {
                ++count;
                last = place;
            }
        }
        if (count != 1) {
            throw SatchelException.usage("the text has " + count + " masks; write one as " + name);
        }
        final int masked = last;
        final float[][] logits = new float[1][];
        encoder.texts(new int[][] {ids}, null, null, null, new EncoderSession.Reader() {
            @Override
            public void row(int index, EncoderSession.Result result) {
                logits[0] = result.part(masked * encoder.answerSize, encoder.answerSize);
            }
        });
        return Scores.activated(logits[0], "softmax");
    }
}
