package satchel.tokenizer;

import satchel.SatchelException;

/** The errors of this package. */
final class Invalid {
    private static final String CODE = "TOKENIZER_INVALID";

    private Invalid() {}

    /** The file says what this runtime cannot follow. */
    static SatchelException file(String what) {
        return SatchelException.bundle("tokenizer.json is not usable: " + what, CODE);
    }

    static SatchelException unknown(String kind, Object name) {
        return file("the " + kind + " " + SatchelException.shown(name) + " is not known");
    }

    /** A text that a tokenizer can give no ids for. */
    static SatchelException text(String why) {
        return SatchelException.usage("the text cannot be tokenized: " + why, "PROMPT_ENCODING");
    }
}
