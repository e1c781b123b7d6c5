package satchel.generate;

/** Makes log-probabilities of scores, which only a beam search tells from what they were. */
final class Renormalize implements Processor {
    private float[] weights = new float[0];

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        float best = scores[at + Sums.highest(scores, at, size)];
        if (!Sums.isFinite(best)) {
            return;
        }
        if (weights.length < size) {
            weights = new float[size];
        }
        for (int i = 0; i < size; ++i) {
            weights[i] = Sums.exp(scores[at + i] - best);
        }
        float normaliser = best + Sums.log(Sums.of(weights, 0, size));
        for (int i = at; i < at + size; ++i) {
            scores[i] -= normaliser;
        }
    }

    @Override
    public boolean relative() {
        return false;
    }
}
