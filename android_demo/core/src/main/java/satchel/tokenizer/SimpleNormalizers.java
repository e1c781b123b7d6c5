package satchel.tokenizer;

/** Normalizers that go from character to character and have no settings. */
final class SimpleNormalizers {
    private SimpleNormalizers() {}

    /** The one of that name, or null. */
    static TextNormalizer of(String type) {
        if (type.equals("Lowercase")) {
            return LOWERCASE;
        }
        if (type.equals("StripAccents")) {
            return ACCENTS;
        }
        if (type.equals("Nmt")) {
            return NMT;
        }
        return type.equals("ByteLevel") ? BYTES : null;
    }

    static final TextNormalizer LOWERCASE = new TextNormalizer() {
        @Override
        void apply(AlignedText text) {
            lowercase(text);
        }
    };

    private static final TextNormalizer ACCENTS = new Filter() {
        @Override
        boolean keeps(int c) {
            return !Letters.isCombining(c);
        }
    };

    private static final TextNormalizer NMT = new Filter() {
        @Override
        boolean keeps(int c) {
            return !(c >= 1 && c <= 8 || c == 0x0B || c >= 0x0E && c <= 0x1F || c == 0x7F || c == 0x8F || c == 0x9F);
        }

        @Override
        int becomes(int c) {
            switch (c) {
                case 0x09:
                case 0x0A:
                case 0x0C:
                case 0x0D:
                case 0x1680:
                case 0x200B:
                case 0x200C:
                case 0x200D:
                case 0x200E:
                case 0x200F:
                case 0x2028:
                case 0x2029:
                case 0x2581:
                case 0xFEFF:
                case 0xFFFD:
                    return ' ';
                default:
                    return c;
            }
        }
    };

    private static final TextNormalizer BYTES = new TextNormalizer() {
        @Override
        void apply(AlignedText text) {
            ByteLetters.spell(text);
        }
    };

    /** Leaves characters out and replaces others, one by one. */
    abstract static class Filter extends TextNormalizer {
        abstract boolean keeps(int c);

        int becomes(int c) {
            return c;
        }

        @Override
        void apply(AlignedText text) {
            int n = text.length;
            int first = 0;
            while (first < n && keeps(text.chars[first])) {
                ++first;
            }
            if (first < n || !text.isAligned()) {
                filter(text);
            }
            for (int i = 0; i < text.length; ++i) {
                text.chars[i] = becomes(text.chars[i]);
            }
        }

        private void filter(AlignedText text) {
            Change change = new Change(text.length);
            int removed = 0;
            for (int i = 0; i < text.length; ++i) {
                int c = text.chars[i];
                if (keeps(c)) {
                    change.add(c, 0);
                } else if (change.size == 0) {
                    ++removed;
                } else {
                    --change.kinds[change.size - 1];
                }
            }
            text.transform(change, removed);
        }
    }

    /** Every letter alone becomes its small one: a final sigma is one like any other. */
    static void lowercase(AlignedText text) {
        boolean single = true;
        for (int i = 0; i < text.length; ++i) {
            single &= text.chars[i] != 0x130;
        }
        if (single && text.isAligned()) {
            for (int i = 0; i < text.length; ++i) {
                text.chars[i] = Letters.lower(text.chars[i]);
            }
            return;
        }
        Change change = new Change(text.length + 8);
        for (int i = 0; i < text.length; ++i) {
            int c = text.chars[i];
            if (c == 0x130) { // the one letter whose small one is two characters
                change.add('i', 0);
                change.add(0x307, 1);
            } else {
                change.add(Letters.lower(c), 0);
            }
        }
        text.transform(change, 0);
    }
}
