package satchel.decoder;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Cancel;
import satchel.SatchelException;
import satchel.bundle.Manifest;
import satchel.ort.Session;
import satchel.ort.Tensor;

/** A session of the encoder graph of an encoder-decoder model: ids in, keys and values for its decoder out. */
public final class SourceEncoder {
    /** Tokens that a source may have. */
    public final int context;

    public final int vocabSize;

    private final Session session;
    private final List<String> outputs;

    public SourceEncoder(Session session, Manifest manifest) {
        this.session = session;
        vocabSize = manifest.vocabSize;
        context = manifest.seq2seq.sourceContext;
        outputs = outputs(manifest);
    }

    /** Reads sources of any lengths together; PROMPT_TOO_LONG where one is. The result is the caller's to close. */
    public Sources read(int[][] rows, Cancel cancel) {
        int[] lengths = new int[rows.length];
        for (int row = 0; row < rows.length; ++row) {
            lengths[row] = checked(rows[row]).length;
        }
        int longest = Ids.longest(rows);
        long[] ids = new long[rows.length * longest];
        for (int row = 0; row < rows.length; ++row) {
            for (int place = 0; place < lengths[row]; ++place) {
                ids[row * longest + place] = rows[row][place];
            }
        }
        Map<String, Tensor> inputs = new LinkedHashMap<String, Tensor>();
        inputs.put("input_ids", Tensor.longs(ids, rows.length, longest));
        inputs.put("source_lengths", Tensor.ints(lengths, rows.length));
        return new Sources(run(session, inputs, outputs, cancel), lengths);
    }

    /** The ids of a source as they are; refuses what is too long or no id. */
    public int[] checked(int[] source) {
        if (source.length > context) {
            throw SatchelException.limit(
                    "the source has " + source.length + " tokens, the bundle reads up to " + context
                            + ": shorten it",
                    "PROMPT_TOO_LONG");
        }
        return Ids.checked(source, vocabSize);
    }

    /** Runs an encoder once and closes its inputs; the outputs stay in memory that the decoder reads in place. */
    static Map<String, Tensor> run(
            Session session, Map<String, Tensor> inputs, List<String> outputs, Cancel cancel) {
        try {
            if (cancel != null) {
                cancel.check();
            }
            return session.run(inputs, outputs, null, cancel);
        } finally {
            for (Tensor input : inputs.values()) {
                input.close();
            }
        }
    }

    static List<String> outputs(Manifest manifest) {
        List<String> names = new ArrayList<String>();
        for (Manifest.Port port : manifest.graphs.get("encoder").outputs) {
            names.add(port.name);
        }
        return names;
    }
}
