package satchel;

/**
 * The span of a context that answers a question; its text is empty where none does. {@link #score} is its
 * probability, and {@link #noAnswer} that of "the context does not say". {@link #start} up to {@link #end} are code
 * points of the context, as in Python.
 */
public final class Answer {
    public final String text;
    public final int start;
    public final int end;
    public final double score;
    public final double noAnswer;

    public Answer(String text, int start, int end, double score, double noAnswer) {
        this.text = text;
        this.start = start;
        this.end = end;
        this.score = score;
        this.noAnswer = noAnswer;
    }
}
