package satchel.generate;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/** What the value of an option must be, and as what a command line reads it. */
abstract class Rule {
    static final double MOST_BIAS = 1e6;

    static final Rule COUNT = new Whole("a whole number from 1", 1);
    static final Rule SIZE = new Whole("a whole number from 0", 0);
    static final Rule SHARE = number(1e-9, 1, "above 0, up to 1");
    static final Rule CUTOFF = number(0, 1 - 1e-9, "from 0, below 1");
    static final Rule PENALTY = number(1e-3, 1e3, "above 0");

    static final Rule SWITCH =
            new Rule("True or False", About.Kind.SWITCH) {
                @Override
                boolean valid(Object value) {
                    return value instanceof Boolean;
                }
            };

    static final Rule EARLY =
            new Rule("True, False or 'never'", About.Kind.WORD) {
                @Override
                boolean valid(Object value) {
                    return value instanceof Boolean || "never".equals(value);
                }
            };

    static final Rule IDS =
            new Rule("a list of ids", About.Kind.JSON) {
                @Override
                boolean valid(Object value) {
                    return Values.ids(value) != null;
                }
            };

    static final Rule WORDS =
            new Rule("a list of lists of ids", About.Kind.JSON) {
                @Override
                boolean valid(Object value) {
                    List<Object> words = Values.list(value);
                    boolean valid = words != null;
                    for (int i = 0; valid && i < words.size(); ++i) {
                        valid = Values.ids(words.get(i)) != null;
                    }
                    return valid;
                }
            };

    static final Rule FORCED =
            new Rule("an id or a list of ids", About.Kind.JSON) {
                @Override
                boolean valid(Object value) {
                    return Values.isWhole(value, 0) || Values.ids(value) != null;
                }
            };

    static final Rule BIAS =
            new Rule("a mapping of ids to numbers", About.Kind.JSON) {
                @Override
                boolean valid(Object value) {
                    if (!(value instanceof Map)) {
                        return false;
                    }
                    for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                        if (!Values.isWhole(entry.getKey(), 0) || !isBias(entry.getValue())) {
                            return false;
                        }
                    }
                    return true;
                }
            };

    static final Rule SEQUENCE_BIAS =
            new Rule("a list of pairs of ids and a number", About.Kind.JSON) {
                @Override
                boolean valid(Object value) {
                    List<Object> pairs = Values.list(value);
                    boolean valid = pairs != null;
                    for (int i = 0; valid && i < pairs.size(); ++i) {
                        List<Object> pair = Values.list(pairs.get(i));
                        valid = pair != null && pair.size() == 2;
                        valid = valid && Values.ids(pair.get(0)) != null && isBias(pair.get(1));
                    }
                    return valid;
                }
            };

    static final Rule DECAY =
            new Rule("a whole number and a factor", About.Kind.JSON) {
                @Override
                boolean valid(Object value) {
                    List<Object> pair = Values.list(value);
                    boolean valid = pair != null && pair.size() == 2;
                    return valid && Values.isWhole(pair.get(0), 0) && Values.within(pair.get(1), 1e-3, 1e3);
                }
            };

    final String expected;
    final About.Kind readAs;

    private Rule(String expected, About.Kind readAs) {
        this.expected = expected;
        this.readAs = readAs;
    }

    abstract boolean valid(Object value);

    static Rule number(final double low, final double high, String expected) {
        return new Rule(expected, About.Kind.NUMBER) {
            @Override
            boolean valid(Object value) {
                return Values.within(value, low, high);
            }
        };
    }

    private static boolean isBias(Object value) {
        return Values.within(value, Double.NEGATIVE_INFINITY, MOST_BIAS);
    }

    private static final class Whole extends Rule {
        private final BigInteger low;

        Whole(String expected, long low) {
            super(expected, About.Kind.WHOLE);
            this.low = BigInteger.valueOf(low);
        }

        @Override
        boolean valid(Object value) {
            BigInteger whole = Values.whole(value);
            return whole != null && whole.compareTo(low) >= 0;
        }
    }
}
