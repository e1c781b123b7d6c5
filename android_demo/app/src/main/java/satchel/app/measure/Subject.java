package satchel.app.measure;

import satchel.Measured;

/** A loaded bundle that is measured. */
public interface Subject {
    /** What there is to be timed. */
    Measured measured();

    /** The version of ONNX Runtime that it computes with. */
    String onnxruntime();

    void close();

    /** Loads a bundle anew, which is timed. */
    interface Opener {
        Subject open();
    }
}
