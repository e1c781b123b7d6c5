package satchel.tokenizer;

import java.util.List;

/** A part of a text: still to be cut, or a token already. */
final class Part {
    final AlignedText text;

    /** The id of the added token that this is, or -1. */
    final int id;

    private Part(AlignedText text, int id) {
        this.text = text;
        this.id = id;
    }

    /** Adds what is to be cut further; nothing where it is empty. */
    static void add(List<Part> parts, AlignedText text) {
        add(parts, text, -1);
    }

    static void add(List<Part> parts, AlignedText text, int id) {
        if (text.length > 0) {
            parts.add(new Part(text, id));
        }
    }
}
