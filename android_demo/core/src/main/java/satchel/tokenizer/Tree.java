package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** A regular expression as it was written, to be compiled from its end to its beginning. */
abstract class Tree {
    static final int GREEDY = 0;
    static final int LAZY = 1;
    static final int POSSESSIVE = 2;
    static final int ANY = Integer.MAX_VALUE;
    private static final int MOST_COPIES = 100;

    /** The steps of this expression, which go on to `next`. */
    abstract Regex.Node compile(Regex.Node next);

    /** How many characters it matches, always; -1 where that varies. */
    abstract int width();

    /** Whether it may match nothing. */
    abstract boolean mayBeEmpty();

    static One one(int c) {
        CharSet set = new CharSet();
        set.add(c, c);
        return new One(set.closed(false, false, null));
    }

    static final class One extends Tree {
        final CharSet set;

        One(CharSet set) {
            this.set = set;
        }

        @Override
        Regex.Node compile(Regex.Node next) {
            return new Regex.One(set, next);
        }

        @Override
        int width() {
            return 1;
        }

        @Override
        boolean mayBeEmpty() {
            return false;
        }
    }

    static final class Row extends Tree {
        final List<Tree> items = new ArrayList<Tree>();

        @Override
        Regex.Node compile(Regex.Node next) {
            Regex.Node node = next;
            for (int i = items.size() - 1; i >= 0; --i) {
                node = items.get(i).compile(node);
            }
            return node;
        }

        @Override
        int width() {
            int sum = 0;
            for (Tree item : items) {
                int width = item.width();
                if (width < 0) {
                    return -1;
                }
                sum += width;
            }
            return sum;
        }

        @Override
        boolean mayBeEmpty() {
            for (Tree item : items) {
                if (!item.mayBeEmpty()) {
                    return false;
                }
            }
            return true;
        }
    }

    static final class Choice extends Tree {
        final List<Tree> branches = new ArrayList<Tree>();

        @Override
        Regex.Node compile(Regex.Node next) {
            return new Regex.Choice(compiled(next));
        }

        Regex.Node[] compiled(Regex.Node next) {
            Regex.Node[] nodes = new Regex.Node[branches.size()];
            for (int i = 0; i < nodes.length; ++i) {
                nodes[i] = branches.get(i).compile(next);
            }
            return nodes;
        }

        @Override
        int width() {
            int width = branches.get(0).width();
            for (Tree branch : branches) {
                if (branch.width() != width) {
                    return -1;
                }
            }
            return width;
        }

        @Override
        boolean mayBeEmpty() {
            for (Tree branch : branches) {
                if (branch.mayBeEmpty()) {
                    return true;
                }
            }
            return false;
        }
    }

    static final class Repeat extends Tree {
        final Tree body;
        final int least;
        final int most;
        final int kind;

        Repeat(Tree body, int least, int most, int kind) {
            this.body = body;
            this.least = least;
            this.most = most;
            this.kind = kind;
        }

        @Override
        Regex.Node compile(Regex.Node next) {
            if (body instanceof One) {
                return new Regex.Run(((One) body).set, least, most, kind, next);
            }
            if (kind == POSSESSIVE) {
                return new Regex.Inner(new Repeat(body, least, most, GREEDY).compile(new Regex.End()), true, true, next);
            }
            Regex.Node node = next;
            if (most == ANY) {
                Regex.Loop loop = new Regex.Loop(kind == LAZY, next);
                loop.body = body.compile(loop);
                node = loop;
            } else {
                for (int i = least; i < most; ++i) {
                    Regex.Node again = body.compile(node);
                    node = new Regex.Choice(
                            kind == LAZY ? new Regex.Node[] {next, again} : new Regex.Node[] {again, next});
                }
            }
            for (int i = 0; i < least; ++i) {
                node = body.compile(node);
            }
            return node;
        }

        /** Whether this can be compiled as it stands. */
        boolean isKnown() {
            boolean small = least <= MOST_COPIES && (most == ANY || most <= MOST_COPIES);
            return body instanceof One || (small && !body.mayBeEmpty());
        }

        @Override
        int width() {
            int width = body.width();
            return least == most && width >= 0 ? least * width : -1;
        }

        @Override
        boolean mayBeEmpty() {
            return least == 0 || body.mayBeEmpty();
        }
    }

    /** A look ahead, or a group that keeps what it has matched. */
    static final class Inner extends Tree {
        private final Tree body;
        private final boolean wanted;
        private final boolean moves;

        Inner(Tree body, boolean wanted, boolean moves) {
            this.body = body;
            this.wanted = wanted;
            this.moves = moves;
        }

        @Override
        Regex.Node compile(Regex.Node next) {
            return new Regex.Inner(body.compile(new Regex.End()), wanted, moves, next);
        }

        @Override
        int width() {
            return moves ? body.width() : 0;
        }

        @Override
        boolean mayBeEmpty() {
            return !moves || body.mayBeEmpty();
        }
    }

    static final class Behind extends Tree {
        private final Choice body;
        private final boolean wanted;

        Behind(Choice body, boolean wanted) {
            this.body = body;
            this.wanted = wanted;
        }

        @Override
        Regex.Node compile(Regex.Node next) {
            int[] lengths = new int[body.branches.size()];
            for (int i = 0; i < lengths.length; ++i) {
                lengths[i] = body.branches.get(i).width();
            }
            return new Regex.Behind(body.compiled(new Regex.End()), lengths, wanted, next);
        }

        @Override
        int width() {
            return 0;
        }

        @Override
        boolean mayBeEmpty() {
            return true;
        }
    }

    static final class Place extends Tree {
        private final char kind;

        Place(char kind) {
            this.kind = kind;
        }

        @Override
        Regex.Node compile(Regex.Node next) {
            return new Regex.Place(kind, next);
        }

        @Override
        int width() {
            return 0;
        }

        @Override
        boolean mayBeEmpty() {
            return true;
        }
    }
}
