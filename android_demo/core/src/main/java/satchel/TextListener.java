package satchel;

/** Is told a text as it is written. */
public interface TextListener {
    /** The next piece, which is never empty. Called by the thread that generates, between two steps. */
    void piece(String text);
}
