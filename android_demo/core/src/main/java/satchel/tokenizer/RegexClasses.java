package satchel.tokenizer;

import satchel.SatchelException;

/** Reads the escapes and character classes of a regular expression; {@link RegexParser} reads what is around them. */
class RegexClasses {
    static final int DEEPEST = 50;

    private static final int LAST = 0x10FFFF;
    private static final CharSet SPACE = spaces();
    private static final CharSet DIGIT = digits();
    private static final CharSet CLASS_WORD = word(false);

    /** What `\w` is outside of classes, where six fractions and small digits of Latin-1 belong to it. */
    static final CharSet WORD = word(true);

    private static CharSet spaces() {
        int[] spaces = {9, 13, 32, 32, 0x85, 0x85, 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029,
            0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000};
        CharSet set = new CharSet();
        for (int i = 0; i < spaces.length; i += 2) {
            set.add(spaces[i], spaces[i + 1]);
        }
        return set.closed(false, false, null);
    }

    private static CharSet digits() {
        CharSet set = new CharSet();
        set.addCategories(Categories.mask("Nd"));
        return set.closed(false, false, null);
    }

    private static CharSet word(boolean alone) {
        CharSet set = new CharSet();
        set.addWords();
        for (int c : alone ? new int[] {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE} : new int[0]) {
            set.add(c, c);
        }
        return set.closed(false, false, null);
    }

    private final String expression;
    final int[] text;
    int at;
    int depth;
    boolean folds; // whether letters count of either case

    RegexClasses(String expression) {
        this.expression = expression;
        this.text = AlignedText.codePoints(expression);
    }

    final CharSet close(CharSet set, boolean inverse, CharSet both) {
        if (folds && (!set.isPlain() || (both != null && !both.isPlain()))) {
            throw wrong("letters of either case beyond ASCII");
        }
        return set.closed(inverse, folds, both);
    }

    /** Reads behind a backslash: the character that it names, or -1 and what it adds to a class. */
    final int escape(CharSet set, CharSet word) {
        int c = at < text.length ? text[at++] : 0;
        switch (c) {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'f':
                return '\f';
            case 'v':
                return 0x0B;
            case 'a':
                return 7;
            case 'e':
                return 0x1B;
            case 'x':
                if (accept('{')) {
                    int value = hexadecimal(8);
                    if (!accept('}')) {
                        throw wrong("a wrong number");
                    }
                    return value;
                }
                int byteValue = hexadecimal(2);
                if (byteValue > 127) {
                    throw wrong("a byte that is no character");
                }
                return byteValue;
            case 'u':
                int start = at;
                int unit = hexadecimal(4);
                if (at - start != 4) {
                    throw wrong("a wrong number");
                }
                return unit;
            case 's':
                set.addPart(SPACE);
                return -1;
            case 'd':
                set.addPart(DIGIT);
                return -1;
            case 'w':
                set.addPart(word);
                return -1;
            case 'S':
                set.addPart(inverse(SPACE));
                return -1;
            case 'D':
                set.addPart(inverse(DIGIT));
                return -1;
            case 'W':
                set.addPart(inverse(word));
                return -1;
            case 'p':
            case 'P':
                property(set, c == 'P');
                return -1;
            default:
                boolean letter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
                if (letter || c < ' ' || c > 126) {
                    throw wrong("an escape that is not known");
                }
                return c;
        }
    }

    private static CharSet inverse(CharSet set) {
        CharSet inverse = new CharSet();
        inverse.addPart(set);
        return inverse.closed(true, false, null);
    }

    private void property(CharSet set, boolean inverse) {
        if (!accept('{')) {
            throw wrong("a category without braces");
        }
        boolean inverted = inverse ^ accept('^');
        StringBuilder name = new StringBuilder();
        while (at < text.length && text[at] != '}' && name.length() < 40) {
            name.appendCodePoint(text[at++]);
        }
        int mask = Categories.mask(name.toString());
        if (!accept('}') || mask == 0) {
            throw wrong("the category " + SatchelException.shown(name));
        }
        if (inverted) {
            CharSet part = new CharSet();
            part.addCategories(mask);
            set.addPart(part.closed(true, false, null));
        } else {
            set.addCategories(mask);
        }
    }

    private int hexadecimal(int most) {
        int value = 0;
        int digits = 0;
        while (digits < most && at < text.length && text[at] < 128 && Character.digit(text[at], 16) >= 0) {
            value = value << 4 | Character.digit(text[at++], 16);
            ++digits;
        }
        if (digits == 0 || value < 0 || value > LAST) {
            throw wrong("a wrong number");
        }
        return value;
    }

    /** Reads a class behind its bracket. */
    final CharSet set() {
        if (++depth > DEEPEST) {
            throw wrong("too many classes in one another");
        }
        boolean inverse = accept('^');
        CharSet both = null;
        CharSet set = new CharSet();
        while (!accept(']')) {
            if (at >= text.length) {
                throw wrong("a class without its end");
            }
            if (text[at] == '&' && at + 1 < text.length && text[at + 1] == '&') {
                at += 2;
                both = intersected(set, both);
                set = new CharSet();
                continue;
            }
            if (accept('[')) {
                if (at < text.length && text[at] == ':') {
                    throw wrong("a named class");
                }
                set.addPart(set());
                continue;
            }
            int first = accept('\\') ? classEscape(set) : text[at++];
            boolean range = at + 1 < text.length && text[at] == '-' && text[at + 1] != ']';
            if (first < 0) {
                if (range) {
                    throw wrong("a range from a class");
                }
                continue;
            }
            int last = first;
            if (range) {
                ++at;
                if (text[at] == '[' || text[at] == '&') {
                    throw wrong("a range to a class");
                }
                last = accept('\\') ? classEscape(null) : text[at++];
                if (last < first) {
                    throw wrong("a range to a class or backwards");
                }
            }
            set.add(first, last);
        }
        if (set.isEmpty()) {
            throw wrong("an empty class");
        }
        --depth;
        return close(set, inverse, both);
    }

    private CharSet intersected(CharSet set, CharSet before) {
        if (set.isEmpty()) {
            throw wrong("an empty class");
        }
        return close(set, false, before);
    }

    private int classEscape(CharSet set) {
        if (at < text.length && text[at] == 'b') { // a backspace, here alone
            throw wrong("a backspace");
        }
        return escape(set == null ? new CharSet() : set, CLASS_WORD);
    }

    final boolean accept(int c) {
        if (at < text.length && text[at] == c) {
            ++at;
            return true;
        }
        return false;
    }

    final SatchelException wrong(String what) {
        return Invalid.file("the regular expression " + SatchelException.shown(expression) + " has " + what
                + " at character " + at + ", which is not understood");
    }
}
