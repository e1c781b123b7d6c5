package satchel.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;
import satchel.Warnings;
import satchel.bundle.Manifest;
import satchel.text.Prompts;
import satchel.tokenizer.AddedToken;
import satchel.tokenizer.Encoding;
import satchel.tokenizer.Tokenizer;

/** An encoder's texts become ids, as the manifest's {@code text} says. Knows no graph. */
public final class Preparation {
    /** That may be 16 million characters; more is no text for one vector. */
    private static final int MOST_TOKENS = 1 << 19;
    /** Tokens of a context that two pieces share. */
    private static final int MOST_SHARED = 128;
    /** Characters per token read at first of a text that will be cut. */
    private static final int FIRST_LOOK = 64;

    public final Manifest.TextInput settings;
    public final Tokenizer tokenizer;
    private final int context;
    private final int limit;
    private volatile Warnings warnings = Warnings.PRINTED;

    public Preparation(Manifest manifest, Tokenizer tokenizer) {
        this.settings = manifest.text;
        this.context = manifest.context;
        this.limit = settings.maxLength;
        this.tokenizer = tokenizer;
    }

    /** Who hears that a text was cut. */
    public void setWarnings(Warnings warnings) {
        this.warnings = warnings;
    }

    /** A text behind a prompt: the one of that name, or where that is null the default one. */
    public String behind(String prompt, String text) {
        if (text == null) {
            throw SatchelException.usage("expected a text, got null");
        }
        return prompt(prompt) + text;
    }

    /** Ids of a text, or with {@code pair} of two; what exceeds the model's length is cut, with a warning. */
    Piece encode(String text, String pair) {
        check(text);
        Encoding whole;
        if (pair == null) {
            whole = encoded(beginning(text));
        } else {
            check(pair);
            String second = beginning(pair);
            whole = encoded(beginning(text), second);
        }
        if (Cutting.cuts(whole, limit)) {
            warnings.warn("a text of more than " + limit + " tokens is cut");
        }
        return Cutting.first(whole, limit, settings.cutLeft);
    }

    /** A text in as many pieces as it takes; neighbours share {@code overlap} tokens. */
    List<Piece> pieces(String text, int overlap) {
        checkWindow(overlap);
        check(text);
        return Cutting.pieces(encoded(cased(text)), limit, overlap, false);
    }

    /** Pairs of the question and a piece of the context. */
    Asked question(String question, String context) {
        check(question);
        check(context);
        int lead = encoded(cased(question), "").ids.length;
        int room = limit - lead;
        if (room < 2) {
            throw SatchelException.usage(
                "the question has " + lead + " tokens; at most " + (limit - 2) + " leave room");
        }
        int overlap = Math.min(MOST_SHARED, room / 2);
        Encoding whole = encoded(cased(question), cased(context));
        return new Asked(Cutting.pieces(whole, limit, overlap, true), overlap);
    }

    /** Pieces of a context behind a question, and how many tokens neighbours share. */
    static final class Asked {
        final List<Piece> pieces;
        final int overlap;

        Asked(List<Piece> pieces, int overlap) {
            this.pieces = pieces;
            this.overlap = overlap;
        }
    }

    /** The ids to embed for a text: one row, or with {@code window} overlapping rows where it is long. */
    public List<int[]> rows(String text, String prompt, Integer window) {
        String whole = behind(prompt, text);
        List<int[]> rows = new ArrayList<int[]>();
        if (window == null) {
            rows.add(padded(encode(whole, null).ids));
            return rows;
        }
        for (Piece piece : pieces(whole, window)) {
            rows.add(padded(piece.ids));
        }
        return rows;
    }

    /**
     * Tokens of the prompt of that name, or of the default one, without a special one at their end. Counted of the
     * prompt alone, as sentence-transformers does, also where it and a text share one.
     */
    public int promptLength(String prompt) {
        String text = prompt(prompt);
        if (text.isEmpty()) {
            return 0;
        }
        int[] ids = encode(text, null).ids;
        return ids.length - (ids.length > 0 && isSpecial(ids[ids.length - 1]) ? 1 : 0);
    }

    private boolean isSpecial(int id) {
        for (AddedToken token : tokenizer.addedTokens()) {
            if (token.id == id) {
                return token.special;
            }
        }
        return false;
    }

    private void checkWindow(int window) {
        int most = limit - Cutting.specials(encoded("a")) - 1;
        if (window < 0 || window > most) {
            throw SatchelException.usage(
                "window = " + window + "; expected a whole number from 0 to " + most);
        }
    }

    private String prompt(String asked) {
        String name = asked != null ? asked : settings.defaultPrompt;
        if (name == null) {
            return "";
        }
        String prompt = settings.prompts.get(name);
        if (prompt == null) {
            StringBuilder known = new StringBuilder();
            for (String other : settings.prompts.keySet()) {
                known.append(known.length() > 0 ? ", " : "").append(SatchelException.shown(other));
            }
            throw SatchelException.usage("prompt " + SatchelException.shown(name) + " is unknown; the bundle has "
                + (known.length() > 0 ? known : "none"));
        }
        return prompt;
    }

    private String cased(String text) {
        return settings.lowerCase ? Letters.lower(text) : text;
    }

    /** A few models were trained on texts that are all filled up to the context. */
    private int[] padded(int[] ids) {
        if (settings.padToContext == null || ids.length >= context) {
            return ids;
        }
        int[] filled = Arrays.copyOf(ids, context);
        Arrays.fill(filled, ids.length, context, settings.padToContext);
        return filled;
    }

    /** As much of a long text as decides its first tokens; all of it where its end is what is kept. */
    private String beginning(String given) {
        String text = cased(given);
        if (settings.cutLeft) {
            return text;
        }
        int length = text.codePointCount(0, text.length());
        // Two lengths' worth: where the text is cut, its last tokens may be other than in the whole.
        long size = (long) FIRST_LOOK * limit;
        while (size < length) {
            String start = Letters.beginning(text, (int) size);
            Encoding encoding = encoded(start);
            int specials = Cutting.specials(encoding);
            if (encoding.ids.length - specials > 2 * (limit - specials)) {
                return start;
            }
            size *= 2;
        }
        return text;
    }

    private static void check(String text) {
        Prompts.check(text, MOST_TOKENS);
    }

    private Encoding encoded(String text) {
        return Prompts.encode(tokenizer, text, true, Integer.MAX_VALUE);
    }

    private Encoding encoded(String first, String second) {
        try {
            return tokenizer.encode(first, second, true);
        } catch (RuntimeException error) {
            throw Prompts.converted(error);
        } catch (StackOverflowError error) {
            throw Prompts.converted(error);
        }
    }
}
