package satchel.bundle;

import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/** What a value of manifest.json must be. One of the wrong type is refused by its field's name. */
abstract class Kind {
    static final Kind ANY = new Kind() {
        @Override
        void check(Object value, String where) {}
    };
    static final Kind TEXT = new Kind() {
        @Override
        void check(Object value, String where) {
            require(value instanceof String, value, where);
        }
    };
    static final Kind SWITCH = new Kind() {
        @Override
        void check(Object value, String where) {
            require(value instanceof Boolean, value, where);
        }
    };
    static final Kind WHOLE = new Kind() {
        @Override
        void check(Object value, String where) {
            require(value instanceof Long || value instanceof BigInteger, value, where);
        }
    };
    /** A size, or the name of a dynamic one; an id, or what stands for a language's. */
    static final Kind WHOLE_OR_TEXT = new Kind() {
        @Override
        void check(Object value, String where) {
            if (!(value instanceof String)) {
                WHOLE.check(value, where);
            }
        }
    };

    /** Raises BUNDLE unless the value is of this kind. */
    abstract void check(Object value, String where);

    static Kind optional(final Kind kind) {
        return new Kind() {
            @Override
            void check(Object value, String where) {
                if (value != null) {
                    kind.check(value, where);
                }
            }
        };
    }

    static Kind list(final Kind kind) {
        return new Kind() {
            @Override
            void check(Object value, String where) {
                require(value instanceof List, value, where);
                for (Object item : (List<?>) value) {
                    kind.check(item, where);
                }
            }
        };
    }

    static Kind map(final Kind kind) {
        return new Kind() {
            @Override
            void check(Object value, String where) {
                require(value instanceof Map, value, where);
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    kind.check(entry.getValue(), where + " " + SatchelException.shown(entry.getKey(), 40));
                }
            }
        };
    }

    private static void require(boolean fits, Object value, String where) {
        if (!fits) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": " + where + " = " + Words.shown(value) + " has the wrong type");
        }
    }

    /** An object with these keys and no others. */
    static final class Keys extends Kind {
        private final Map<String, Kind> kinds = new LinkedHashMap<String, Kind>();
        private final Map<String, Boolean> required = new LinkedHashMap<String, Boolean>();

        Keys required(String name, Kind kind) {
            return with(name, kind, true);
        }

        Keys may(String name, Kind kind) {
            return with(name, kind, false);
        }

        private Keys with(String name, Kind kind, boolean needed) {
            kinds.put(name, kind);
            required.put(name, needed);
            return this;
        }

        @Override
        void check(Object value, String where) {
            require(value instanceof Map, value, where);
            Map<?, ?> object = (Map<?, ?>) value;
            for (Map.Entry<String, Boolean> field : required.entrySet()) {
                if (field.getValue() && !object.containsKey(field.getKey())) {
                    throw SatchelException.bundle(Bundle.MANIFEST + ": " + where + " lacks " + field.getKey());
                }
            }
            for (Object name : object.keySet()) {
                if (!kinds.containsKey(name)) {
                    throw SatchelException.bundle(
                            Bundle.MANIFEST + ": " + where + " has " + SatchelException.shown(name)
                                    + ", which is unknown here");
                }
            }
            for (Map.Entry<?, ?> entry : object.entrySet()) {
                String name = (String) entry.getKey();
                kinds.get(name).check(entry.getValue(), name);
            }
        }
    }
}
