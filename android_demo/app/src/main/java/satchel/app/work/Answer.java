package satchel.app.work;

/** What came of a text that a model wrote. */
final class Answer {
    /** Ids that were written. */
    final int tokens;

    /** Between the first and the last of them. */
    final double seconds;

    /** Until the first. */
    final double secondsToFirst;

    /** "stop", "length" or "cancelled". */
    final String finishReason;

    Answer(int tokens, double seconds, double secondsToFirst, String finishReason) {
        this.tokens = tokens;
        this.seconds = seconds;
        this.secondsToFirst = secondsToFirst;
        this.finishReason = finishReason;
    }

    /** 0 where there were too few to tell. */
    double tokensPerSecond() {
        return tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : 0;
    }
}
