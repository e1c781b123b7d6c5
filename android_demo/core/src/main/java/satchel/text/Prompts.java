package satchel.text;

import satchel.SatchelException;
import satchel.tokenizer.Encoding;
import satchel.tokenizer.Tokenizer;

/** Texts on their way to a tokenizer: what must not reach it is refused, and its errors become ours. */
public final class Prompts {
    /** No text of a context's length has more; longer is refused unread. */
    private static final int CHARACTERS_PER_TOKEN = 32;

    private Prompts() {}

    /** Raises PROMPT_TOO_LONG or PROMPT_ENCODING for what cannot be a text of `context` tokens. */
    public static void check(String text, int context) {
        if (text == null) {
            throw SatchelException.usage("expected a text, got nothing");
        }
        int characters = text.codePointCount(0, text.length());
        if (characters > (long) CHARACTERS_PER_TOKEN * context) {
            throw SatchelException.limit(
                    "the prompt has " + characters + " characters, far more than a context of " + context
                            + " tokens holds",
                    "PROMPT_TOO_LONG");
        }
        int half = loneSurrogate(text);
        if (half >= 0) {
            throw SatchelException.usage(
                    "the text holds a lone surrogate at character " + text.codePointCount(0, half),
                    "PROMPT_ENCODING");
        }
    }

    /** A text's encoding by a tokenizer. Raises what `check` does, and PROMPT_ENCODING where it fails. */
    public static Encoding encode(Tokenizer tokenizer, String text, boolean specialTokens, int context) {
        check(text, context);
        try {
            return tokenizer.encode(text, specialTokens);
        } catch (RuntimeException error) {
            throw converted(error);
        } catch (StackOverflowError error) {
            throw converted(error);
        }
    }

    /** An error of a tokenizer as one of ours. */
    public static SatchelException converted(Throwable error) {
        if (error instanceof SatchelException) {
            return (SatchelException) error;
        }
        return SatchelException.usage(
                "the text cannot be tokenized: " + SatchelException.shown(String.valueOf(error.getMessage())),
                "PROMPT_ENCODING");
    }

    /** The text of ids that a model has chosen, without special tokens. */
    public static String decoded(Tokenizer tokenizer, int[] ids) {
        return ids.length == 0 ? "" : tokenizer.decode(ids, true);
    }

    /** Where the first half of a character stands alone, -1 where none does. */
    static int loneSurrogate(String text) {
        for (int i = 0; i < text.length(); ++i) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                ++i;
            } else if (Character.isSurrogate(c)) {
                return i;
            }
        }
        return -1;
    }
}
