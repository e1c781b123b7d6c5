package satchel;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.bundle.Manifest;
import satchel.generate.Options;

/** What a caller asks of a generation: options, how long a text gets, and what ends it before. */
final class Asked {
    private static final String LENGTH = "max_new_tokens";
    private static final String STOP = "stop";
    private static final long USUAL_LENGTH = 512; // where neither the caller nor the bundle says
    private static final int MOST_STOP_STRINGS = 16;
    private static final int LONGEST_STOP_STRING = 256; // characters

    final Options options;
    final List<String> stop;
    private final boolean stopAsked;
    private final boolean lengthAsked;
    private final Object length; // null: until the context is full
    private final Manifest manifest;

    /**
     * Checks the caller's options by the names of Python. Besides those of {@link Options} there are
     * "max_new_tokens", whose null means until the context is full, and "stop", a text or several that end the
     * text before them, by default those that the bundle recommends.
     */
    Asked(Map<String, ?> given, Manifest manifest) {
        this.manifest = manifest;
        Map<String, Object> others = new LinkedHashMap<String, Object>();
        if (given != null) {
            others.putAll(given);
        }
        lengthAsked = others.containsKey(LENGTH);
        length = others.remove(LENGTH);
        Object ends = others.remove(STOP);
        options = Options.from(others, manifest.generation);
        checkLength(others);
        stopAsked = ends != null;
        stop = strings(stopAsked ? ends : manifest.generation.get("stop_strings"));
    }

    /** Refuses what only whole texts have. */
    void checkStreamable() {
        if (options.numBeams > 1 || options.nBest != null) {
            throw SatchelException.usage(
                    "num_beams = " + options.numBeams + ": a beam search cannot be streamed; use generate, or "
                            + "num_beams = 1 without n_best");
        }
    }

    /** Refuses what a beam search has not. */
    void checkSearchable() {
        if (stopAsked && !stop.isEmpty()) {
            throw SatchelException.usage("stop does not go with num_beams = " + options.numBeams);
        }
        if (options.numBeams > manifest.vocabSize) {
            throw SatchelException.usage(
                    "num_beams = " + options.numBeams + "; the vocabulary has " + manifest.vocabSize + " ids");
        }
    }

    /** How many ids may be added to those that the decoder begins with. */
    int limit(int begin) {
        int room = manifest.context - begin;
        if (room < 1) {
            throw SatchelException.limit(
                    "the prompt has " + begin + " tokens, the bundle's context is " + manifest.context
                            + ": shorten it",
                    "PROMPT_TOO_LONG");
        }
        Object wanted = length;
        if (!lengthAsked && options.maxLength != null) {
            if (options.maxLength <= begin) {
                throw SatchelException.usage(
                        "max_length = " + options.maxLength + "; the prompt has " + begin + " tokens");
            }
            wanted = (long) options.maxLength - begin;
        } else if (!lengthAsked) {
            boolean told = manifest.generation.containsKey(LENGTH);
            wanted = told ? manifest.generation.get(LENGTH) : (Object) USUAL_LENGTH;
        }
        if (wanted == null) {
            return room;
        }
        if (!isWhole(wanted)) {
            throw SatchelException.usage(
                    LENGTH + " = " + SatchelException.shown(wanted) + "; expected a whole number");
        }
        return (int) Math.min(room, ((Number) wanted).longValue());
    }

    private void checkLength(Map<String, Object> others) {
        if (!isWhole(length)) {
            return;
        }
        long wanted = ((Number) length).longValue();
        if (wanted < 0) {
            throw SatchelException.usage(LENGTH + " = " + wanted + "; expected 0 or more");
        }
        if (others.get("max_length") != null) {
            throw SatchelException.usage("max_length and max_new_tokens say the same: give one");
        }
        Object least = others.get("min_new_tokens");
        if (least != null && ((Number) least).longValue() > wanted) {
            throw SatchelException.usage("min_new_tokens = " + least + " is above max_new_tokens = " + wanted);
        }
    }

    private static boolean isWhole(Object value) {
        return value instanceof Integer || value instanceof Long || value instanceof Short || value instanceof Byte;
    }

    private static List<String> strings(Object value) {
        if (value == null) {
            return Collections.emptyList();
        }
        List<Object> items = new ArrayList<Object>();
        if (value instanceof Collection) {
            items.addAll((Collection<?>) value);
        } else if (value instanceof Object[]) {
            Collections.addAll(items, (Object[]) value);
        } else {
            items.add(value);
        }
        List<String> strings = new ArrayList<String>();
        for (Object item : items) {
            String text = item instanceof String ? (String) item : "";
            if (text.isEmpty() || text.codePointCount(0, text.length()) > LONGEST_STOP_STRING) {
                throw SatchelException.usage(
                        "stop string " + SatchelException.shown(item) + "; expected 1 to " + LONGEST_STOP_STRING
                                + " characters");
            }
            strings.add(text);
        }
        if (strings.size() > MOST_STOP_STRINGS) {
            throw SatchelException.usage(strings.size() + " stop strings; at most " + MOST_STOP_STRINGS);
        }
        return strings;
    }
}
