package satchel.tokenizer;

/** The cleaning of BERT: controls, white space, ideographs apart, accents, small letters. */
final class BertNormalizer extends TextNormalizer {
    private final boolean cleans;
    private final boolean parts;
    private final boolean strips;
    private final boolean lowers;

    BertNormalizer(Fields fields) {
        cleans = fields.flag("clean_text");
        parts = fields.flag("handle_chinese_chars");
        lowers = fields.flag("lowercase");
        strips = fields.flag("strip_accents", lowers);
    }

    private static final TextNormalizer CLEAN = new SimpleNormalizers.Filter() {
        @Override
        boolean keeps(int c) {
            if (c < 128) {
                return c >= ' ' && c != 127 || c == '\t' || c == '\n' || c == '\r';
            }
            return c != 0xFFFD && !Letters.isControl(c);
        }

        @Override
        int becomes(int c) {
            return Letters.isSpace(c) ? ' ' : c;
        }
    };

    private static final TextNormalizer MARKS = new SimpleNormalizers.Filter() {
        @Override
        boolean keeps(int c) {
            return !Letters.isNonspacingMark(c);
        }
    };

    @Override
    void apply(AlignedText text) {
        if (cleans) {
            CLEAN.apply(text);
        }
        if (parts) {
            part(text);
        }
        if (strips) {
            UnicodeForm.NFD.apply(text);
            MARKS.apply(text);
        }
        if (lowers) {
            SimpleNormalizers.lowercase(text);
        }
    }

    private static void part(AlignedText text) {
        boolean any = false;
        for (int i = 0; i < text.length && !any; ++i) {
            any = isIdeograph(text.chars[i]);
        }
        if (!any && text.isAligned()) {
            return;
        }
        Change change = new Change(text.length + 16);
        for (int i = 0; i < text.length; ++i) {
            int c = text.chars[i];
            if (isIdeograph(c)) {
                change.add(' ', 0);
                change.add(c, 1);
                change.add(' ', 1);
            } else {
                change.add(c, 0);
            }
        }
        text.transform(change, 0);
    }

    /** Han characters, of which BERT takes each for a word. */
    private static boolean isIdeograph(int c) {
        if (c < 0x3400) {
            return false;
        }
        return c <= 0x4DBF || c >= 0x4E00 && c <= 0x9FFF || c >= 0xF900 && c <= 0xFAFF || c >= 0x20000 && c <= 0x2A6DF
                || c >= 0x2A700 && c <= 0x2B73F || c >= 0x2B740 && c <= 0x2B81F || c >= 0x2B920 && c <= 0x2CEAF
                || c >= 0x2F800 && c <= 0x2FA1F;
    }
}
