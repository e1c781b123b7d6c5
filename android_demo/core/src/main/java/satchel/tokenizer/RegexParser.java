package satchel.tokenizer;

/**
 * Reads a regular expression as Oniguruma's Ruby syntax has it.
 *
 * <p>Understood: characters and escapes, classes with ranges, intersections and general categories, groups,
 * alternatives, the quantifiers with `?` and `+` behind them, looking ahead and behind, groups that keep what they
 * matched, `(?i:...)` over ASCII, and places. Everything else is refused, as back references and scripts are.
 */
final class RegexParser extends RegexClasses {
    private static final String[] FOLDED = {"ss", "ff", "fi", "fl", "st"}; // which single characters stand for too

    RegexParser(String expression) {
        super(expression);
    }

    /** The whole expression. */
    Tree parse() {
        Tree tree = choice();
        if (at < text.length) {
            throw wrong("a bracket without its beginning");
        }
        return tree;
    }

    private Tree choice() {
        if (++depth > DEEPEST) {
            throw wrong("too many groups in one another");
        }
        Tree.Choice choice = new Tree.Choice();
        do {
            choice.branches.add(row());
        } while (accept('|'));
        --depth;
        return choice.branches.size() == 1 ? choice.branches.get(0) : choice;
    }

    private Tree.Row row() {
        Tree.Row row = new Tree.Row();
        StringBuilder letters = new StringBuilder();
        while (at < text.length && text[at] != '|' && text[at] != ')') {
            int start = at;
            Tree item = item();
            if (folds && at == start + 1 && text[start] < 128) {
                letters.append((char) Letters.lower(text[start]));
                checkFolding(letters);
            } else {
                letters.setLength(0);
            }
            row.items.add(quantified(item));
        }
        return row;
    }

    private void checkFolding(StringBuilder letters) {
        for (String pair : FOLDED) {
            if (letters.indexOf(pair) >= 0) {
                throw wrong("letters that one character may stand for, of either case");
            }
        }
    }

    private Tree quantified(Tree body) {
        Tree tree = body;
        while (at < text.length) {
            int least;
            int most;
            boolean counted = false;
            int c = text[at];
            if (c == '?') {
                least = 0;
                most = 1;
                ++at;
            } else if (c == '*' || c == '+') {
                least = c == '+' ? 1 : 0;
                most = Tree.ANY;
                ++at;
            } else if (c == '{') {
                ++at;
                boolean open = at < text.length && text[at] == ',';
                least = open ? 0 : count();
                most = least;
                if (accept(',')) {
                    most = at < text.length && text[at] == '}' ? Tree.ANY : count();
                    if (open && most == Tree.ANY) {
                        throw wrong("a wrong count");
                    }
                }
                if (!accept('}') || most < least) {
                    throw wrong("a wrong count");
                }
                counted = true;
            } else {
                return tree;
            }
            int kind = Tree.GREEDY;
            if (at < text.length && (text[at] == '?' || text[at] == '+')) {
                if (counted) { // which mean something else than everywhere else
                    throw wrong("a sign behind a count");
                }
                kind = text[at++] == '?' ? Tree.LAZY : Tree.POSSESSIVE;
            }
            Tree.Repeat repeat = new Tree.Repeat(tree, least, most, kind);
            if (tree instanceof Tree.Repeat || !repeat.isKnown()) {
                throw wrong("a repetition of what may be nothing");
            }
            tree = repeat;
        }
        return tree;
    }

    private int count() {
        int value = 0;
        int digits = 0;
        while (at < text.length && text[at] >= '0' && text[at] <= '9' && digits < 6) {
            value = 10 * value + text[at++] - '0';
            ++digits;
        }
        if (digits == 0) {
            throw wrong("a wrong count");
        }
        return value;
    }

    private Tree item() {
        int c = text[at++];
        switch (c) {
            case '(':
                return group();
            case '[':
                return new Tree.One(set());
            case '.':
                CharSet any = new CharSet();
                any.add('\n', '\n');
                return new Tree.One(any.closed(true, false, null));
            case '^':
            case '$':
                return new Tree.Place((char) c);
            case '\\':
                return escaped();
            case '*':
            case '+':
            case '?':
            case '{':
                throw wrong("a repetition of nothing");
            default:
                return one(c);
        }
    }

    private Tree one(int c) {
        CharSet set = new CharSet();
        set.add(c, c);
        return new Tree.One(close(set, false, null));
    }

    private Tree group() {
        if (!accept('?')) {
            return inside();
        }
        if (accept(':')) {
            return inside();
        }
        if (accept('=') || accept('!')) {
            boolean wanted = text[at - 1] == '=';
            return new Tree.Inner(inside(), wanted, false);
        }
        if (accept('>')) {
            return new Tree.Inner(inside(), true, true);
        }
        if (accept('i')) {
            if (!accept(':')) {
                throw wrong("a setting for more than its group");
            }
            boolean before = folds;
            folds = true;
            Tree tree = inside();
            folds = before;
            return tree;
        }
        if (accept('<') && (accept('=') || accept('!'))) {
            boolean wanted = text[at - 1] == '=';
            Tree tree = inside();
            Tree.Choice choice = new Tree.Choice();
            if (tree instanceof Tree.Choice) {
                choice = (Tree.Choice) tree;
            } else {
                choice.branches.add(tree);
            }
            for (Tree branch : choice.branches) {
                if (branch.width() < 0) {
                    throw wrong("a look behind of no fixed length");
                }
            }
            return new Tree.Behind(choice, wanted);
        }
        throw wrong("an unknown kind of group");
    }

    private Tree inside() {
        Tree tree = choice();
        if (!accept(')')) {
            throw wrong("a bracket without its end");
        }
        return tree;
    }

    private Tree escaped() {
        int c = at < text.length ? text[at] : 0;
        if (c == 'A' || c == 'z' || c == 'Z' || c == 'b' || c == 'B') {
            ++at;
            return new Tree.Place((char) c);
        }
        CharSet set = new CharSet();
        int single = escape(set, WORD);
        if (single >= 0) {
            return one(single);
        }
        return new Tree.One(close(set, false, null));
    }
}
