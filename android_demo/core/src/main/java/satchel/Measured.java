package satchel;

import java.util.List;

/** A model that can be checked where it runs, and timed. */
public interface Measured {
    /** What the bundle answers to the probes of its manifest. Throws BUNDLE where it has none. */
    List<SampleAnswer> sampleAnswers();

    /** What the bundle is timed at. */
    List<Workload> workloads();

    /** Writes one token, to time how soon after loading there is one; false where the model does not write. */
    boolean firstToken();

    /** How many threads an operator uses. */
    int threads();
}
