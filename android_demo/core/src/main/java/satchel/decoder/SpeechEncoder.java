package satchel.decoder;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import satchel.Cancel;
import satchel.bundle.Manifest;
import satchel.ort.Session;
import satchel.ort.Tensor;

/** A session of the encoder graph of a speech model: features in, keys and values for its decoder out. */
public final class SpeechEncoder {
    /** Steps of time that a window becomes. */
    public final int positions;

    private final Session session;
    private final List<String> outputs;
    private final int mels;
    private final int frames;

    public SpeechEncoder(Session session, Manifest manifest) {
        this.session = session;
        positions = manifest.seq2seq.sourceContext;
        outputs = SourceEncoder.outputs(manifest);
        Object[] axes = manifest.graphs.get("encoder").inputs.get(0).axes;
        mels = ((Number) axes[1]).intValue();
        frames = ((Number) axes[2]).intValue();
    }

    /**
     * Reads windows of features, each float32 [mels, frames] row by row, of as many frames as the graph has. The
     * result is the caller's to close.
     */
    public Sources read(float[][] windows, Cancel cancel) {
        List<Map<String, Tensor>> read = new ArrayList<Map<String, Tensor>>();
        try {
            for (float[] window : windows) {
                Tensor features = Tensor.floats(window, 1, mels, frames);
                read.add(SourceEncoder.run(
                        session, Collections.singletonMap("input_features", features), outputs, cancel));
            }
        } catch (RuntimeException error) {
            for (Map<String, Tensor> values : read) {
                for (Tensor value : values.values()) {
                    value.close();
                }
            }
            throw error;
        }
        return Sources.joined(read, positions);
    }
}
