package satchel.tokenizer;

/**
 * A regular expression over code points, matched by backtracking: the first alternative that leads to a match wins.
 *
 * <p>It is its own, and not java.util.regex, because that follows the platform: Android's has other classes and
 * another Unicode than the JVM's. {@link RegexParser} says what it understands.
 */
final class Regex extends Pattern {
    private static final int DEEPEST = 3000;

    private final Node first;

    private Regex(Node first) {
        this.first = first;
    }

    /** Compiles an expression; what is not understood is refused. */
    static Regex of(String expression) {
        return new Regex(new RegexParser(expression).parse().compile(new End()));
    }

    /** An expression for a text as it stands. */
    static Regex literal(String text) {
        Tree.Row row = new Tree.Row();
        for (int c : AlignedText.codePoints(text)) {
            row.items.add(Tree.one(c));
        }
        return new Regex(row.compile(new End()));
    }

    @Override
    void cut(int[] text, int length, Spans spans) {
        Matcher matcher = new Matcher(text, length);
        int previous = 0;
        int at = 0;
        int lastEnd = -1;
        while (at <= length) {
            int start = at;
            int end = -1;
            while (start <= length && (end = first.match(matcher, start)) < 0) {
                ++start;
            }
            if (end < 0) {
                break;
            }
            if (end == start && lastEnd == end) { // nothing, right behind a match
                ++at;
                continue;
            }
            at = end;
            lastEnd = end;
            if (previous != start) {
                spans.add(previous, start, false);
            }
            spans.add(start, end, true);
            previous = end;
        }
        if (previous != length) {
            spans.add(previous, length, false);
        }
    }

    /** One search through one text. */
    static final class Matcher {
        final int[] text;
        final int length;
        int depth;

        Matcher(int[] text, int length) {
            this.text = text;
            this.length = length;
        }
    }

    /** A step; it goes on to the next ones itself, so that a match of it is a match of all the rest. */
    abstract static class Node {
        /** Where the whole match ends that goes on from `at`, or -1. */
        abstract int match(Matcher m, int at);
    }

    static final class End extends Node {
        @Override
        int match(Matcher m, int at) {
            return at;
        }
    }

    static final class One extends Node {
        private final CharSet set;
        private final Node next;

        One(CharSet set, Node next) {
            this.set = set;
            this.next = next;
        }

        @Override
        int match(Matcher m, int at) {
            return at < m.length && set.has(m.text[at]) ? next.match(m, at + 1) : -1;
        }
    }

    /** A character class, several times. */
    static final class Run extends Node {
        private final CharSet set;
        private final int least;
        private final int most;
        private final int kind;
        private final Node next;

        Run(CharSet set, int least, int most, int kind, Node next) {
            this.set = set;
            this.least = least;
            this.most = most;
            this.kind = kind;
            this.next = next;
        }

        @Override
        int match(Matcher m, int at) {
            int limit = most < m.length - at ? at + most : m.length;
            int end = at;
            if (kind == Tree.LAZY) {
                while (true) {
                    int found = end - at >= least ? next.match(m, end) : -1;
                    if (found >= 0 || end >= limit || !set.has(m.text[end])) {
                        return found;
                    }
                    ++end;
                }
            }
            while (end < limit && set.has(m.text[end])) {
                ++end;
            }
            if (kind == Tree.POSSESSIVE) {
                return end - at >= least ? next.match(m, end) : -1;
            }
            for (; end - at >= least; --end) {
                int found = next.match(m, end);
                if (found >= 0) {
                    return found;
                }
            }
            return -1;
        }
    }

    static final class Choice extends Node {
        private final Node[] branches;

        Choice(Node[] branches) {
            this.branches = branches;
        }

        @Override
        int match(Matcher m, int at) {
            for (Node branch : branches) {
                int found = branch.match(m, at);
                if (found >= 0) {
                    return found;
                }
            }
            return -1;
        }
    }

    /** A group any number of times; each time is a call deeper, so that there is an end to it. */
    static final class Loop extends Node {
        Node body;
        private final boolean lazy;
        private final Node next;

        Loop(boolean lazy, Node next) {
            this.lazy = lazy;
            this.next = next;
        }

        @Override
        int match(Matcher m, int at) {
            if (++m.depth > DEEPEST) {
                throw Invalid.text("a group of its tokenizer's pattern repeats too often");
            }
            int found = lazy ? next.match(m, at) : body.match(m, at);
            if (found < 0) {
                found = lazy ? body.match(m, at) : next.match(m, at);
            }
            --m.depth;
            return found;
        }
    }

    /** A look ahead, or a group that keeps what it has matched. */
    static final class Inner extends Node {
        private final Node inner;
        private final boolean wanted;
        private final boolean moves;
        private final Node next;

        Inner(Node inner, boolean wanted, boolean moves, Node next) {
            this.inner = inner;
            this.wanted = wanted;
            this.moves = moves;
            this.next = next;
        }

        @Override
        int match(Matcher m, int at) {
            int found = inner.match(m, at);
            if (found >= 0 != wanted) {
                return -1;
            }
            return next.match(m, moves ? found : at);
        }
    }

    /** A look behind at alternatives of known lengths. */
    static final class Behind extends Node {
        private final Node[] branches;
        private final int[] lengths;
        private final boolean wanted;
        private final Node next;

        Behind(Node[] branches, int[] lengths, boolean wanted, Node next) {
            this.branches = branches;
            this.lengths = lengths;
            this.wanted = wanted;
            this.next = next;
        }

        @Override
        int match(Matcher m, int at) {
            boolean found = false;
            for (int i = 0; i < branches.length && !found; ++i) {
                found = at >= lengths[i] && branches[i].match(m, at - lengths[i]) >= 0;
            }
            return found == wanted ? next.match(m, at) : -1;
        }
    }

    /** A place in the text: its beginning or end, a line's, a word's. */
    static final class Place extends Node {
        private final char kind;
        private final Node next;

        Place(char kind, Node next) {
            this.kind = kind;
            this.next = next;
        }

        @Override
        int match(Matcher m, int at) {
            return holds(m, at) ? next.match(m, at) : -1;
        }

        private boolean holds(Matcher m, int at) {
            switch (kind) {
                case 'A':
                    return at == 0;
                case 'z':
                    return at == m.length;
                case 'Z':
                    return at == m.length || (at == m.length - 1 && m.text[at] == '\n');
                case '^': // behind the last line feed of a text no line begins
                    return at == 0 || (at < m.length && m.text[at - 1] == '\n');
                case '$':
                    return at == m.length || m.text[at] == '\n';
                default:
                    boolean before = at > 0 && RegexClasses.WORD.has(m.text[at - 1]);
                    boolean behind = at < m.length && RegexClasses.WORD.has(m.text[at]);
                    return (before != behind) == (kind == 'b');
            }
        }
    }
}
