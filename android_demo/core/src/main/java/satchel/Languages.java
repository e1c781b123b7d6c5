package satchel;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import satchel.bundle.Manifest;
import satchel.bundle.Manifest.Translation;
import satchel.text.Near;
import satchel.text.Prompts;
import satchel.text.Whitespace;
import satchel.tokenizer.Tokenizer;

/** How a translation model is told its languages; of a bundle without, there are none. Knows no graph. */
final class Languages {
    private static final int SHOWN = 8; // languages in an error
    private static final int NAME = 40; // characters of a name in an error
    private static final double NEAR = 0.5;

    private final Translation told; // or null
    private final int vocabSize;
    private final int limit; // tokens of a source

    Languages(Manifest manifest) {
        told = manifest.translation;
        vocabSize = manifest.vocabSize;
        limit = manifest.seq2seq.sourceContext;
    }

    /** Ids of a source text; null is the language that is taken for granted. Throws USAGE for an unknown one. */
    int[] encode(Tokenizer tokenizer, String text, String sourceLang, String targetLang) {
        Prompts.check(text, limit);
        Integer source = id(Translation.SOURCE, sourceLang);
        Integer target = id(Translation.TARGET, targetLang);
        if (told == null) {
            return Prompts.encode(tokenizer, text, true, limit).ids;
        }
        String words = text;
        String named = contains(told.prefix, Translation.TARGET) ? named(text) : null;
        if (named != null) { // the text itself names the language it is to be put into: >>fr<<
            target = id(Translation.TARGET, named);
            words = text.substring(text.indexOf("<<") + 2);
        }
        int[] ids = Prompts.encode(tokenizer, words, false, limit).ids;
        List<Integer> all = new ArrayList<Integer>();
        addTold(all, told.prefix, source, target);
        for (int id : ids) { // ids beyond are those of pieces that the model lacks
            all.add(id < vocabSize || told.unknown == null ? id : told.unknown);
        }
        addTold(all, told.suffix, source, target);
        int[] plain = new int[all.size()];
        for (int i = 0; i < plain.length; ++i) {
            plain[i] = all.get(i);
        }
        return plain;
    }

    /** The id that a target in this language has behind its start, null for any. */
    Integer forcedFirstToken(String targetLang) {
        Integer id = id(Translation.TARGET, targetLang);
        return told != null && told.target.equals("forced") ? id : null;
    }

    /** The id that a target in this language begins with, null for that of all targets. */
    Integer start(String targetLang) {
        Integer id = id(Translation.TARGET, targetLang);
        return told != null && told.target.equals("start") ? id : null;
    }

    /** Throws USAGE where a target language is needed and none is given or taken for granted. */
    void requireTarget(String targetLang) {
        boolean given = targetLang != null && !targetLang.isEmpty();
        if (told != null && !told.languages.isEmpty() && !given && told.targetLang == null) {
            throw SatchelException.usage("target_lang is needed; " + near("", told.languages.keySet()));
        }
    }

    /** The id of a language, or of the one taken for granted; USAGE with the nearest where there is none. */
    private Integer id(String role, String name) {
        if (name == null) {
            String usual =
                    told == null ? null : role.equals(Translation.SOURCE) ? told.sourceLang : told.targetLang;
            return usual == null ? null : told.languages.get(usual);
        }
        if (told == null || told.languages.isEmpty()) {
            throw SatchelException.usage(
                    role + "_lang = " + SatchelException.shown(name) + ": this bundle is told no languages");
        }
        if (role.equals(Translation.SOURCE)
                && !contains(told.prefix, Translation.SOURCE)
                && !contains(told.suffix, Translation.SOURCE)) {
            throw SatchelException.usage(
                    "source_lang = " + SatchelException.shown(name) + ": this bundle is told the target alone");
        }
        Integer id = told.languages.get(name);
        if (id == null) {
            throw SatchelException.usage(
                    role + "_lang = " + SatchelException.shown(name, NAME) + " is unknown; "
                            + near(name, told.languages.keySet()));
        }
        return id;
    }

    private static void addTold(List<Integer> all, Object[] parts, Integer source, Integer target) {
        for (Object part : parts) {
            Object id = part.equals(Translation.SOURCE) ? source : part.equals(Translation.TARGET) ? target : part;
            if (id instanceof Integer) {
                all.add((Integer) id);
            }
        }
    }

    private static boolean contains(Object[] parts, String role) {
        for (Object part : parts) {
            if (part.equals(role)) {
                return true;
            }
        }
        return false;
    }

    /** The name in a text that begins like ">>fr<<", or null. */
    private static String named(String text) {
        int start = 0;
        while (start < text.length() && Whitespace.is(text.charAt(start))) {
            ++start;
        }
        int end = text.indexOf("<<");
        if (!text.startsWith(">>", start) || end <= start + 2) {
            return null;
        }
        String name = text.substring(start + 2, end);
        return name.indexOf('<') < 0 && name.indexOf('>') < 0 ? name : null;
    }

    /** The languages that may have been meant, or some. */
    private static String near(String name, Collection<String> languages) {
        List<String> sorted = new ArrayList<String>(new TreeSet<String>(languages));
        Set<String> near = new LinkedHashSet<String>(nearest(name, sorted));
        for (String other : sorted) {
            if (!name.isEmpty() && beginning(other).equals(beginning(name))) {
                near.add(other);
            }
        }
        if (near.isEmpty()) {
            int more = sorted.size() - SHOWN;
            return "known: " + first(sorted) + (more > 0 ? " and " + more + " more" : "");
        }
        return "near it: " + first(new ArrayList<String>(near));
    }

    /** Names that are spelt like another, the nearest first; of equals the greater by its letters. */
    private static List<String> nearest(final String name, List<String> known) {
        List<String> near = new ArrayList<String>();
        for (String other : known) {
            if (Near.ratio(other, name) >= NEAR) {
                near.add(other);
            }
        }
        Collections.sort(near, new Comparator<String>() {
            @Override
            public int compare(String a, String b) {
                int order = Double.compare(Near.ratio(b, name), Near.ratio(a, name));
                return order != 0 ? order : b.compareTo(a);
            }
        });
        return near.subList(0, Math.min(SHOWN, near.size()));
    }

    private static String beginning(String name) {
        int characters = Math.min(2, name.codePointCount(0, name.length()));
        return name.substring(0, name.offsetByCodePoints(0, characters)).toLowerCase(Locale.ROOT);
    }

    private static String first(List<String> names) {
        StringBuilder out = new StringBuilder();
        for (String name : names.subList(0, Math.min(SHOWN, names.size()))) {
            out.append(out.length() == 0 ? "" : ", ").append(name);
        }
        return out.toString();
    }
}
