package satchel.app.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the phonemes of ARPAbet sound like, in words that show them. */
public final class Phonemes {
    private static final String[] EXAMPLES = {
        "AA odd", "AE cat", "AH hut", "AO law", "AW cow", "AY hide", "B be", "CH cheese", "D dee", "DH thee",
        "EH red", "ER hurt", "EY ate", "F fee", "G green", "HH he", "IH it", "IY eat", "JH gee", "K key",
        "L lee", "M me", "N knee", "NG ping", "OW oat", "OY toy", "P pay", "R read", "S sea", "SH she",
        "T tea", "TH theta", "UH hood", "UW two", "V vee", "W we", "Y yield", "Z zoo", "ZH seizure",
    };
    private static final Map<String, String> WORDS = new HashMap<String, String>();

    static {
        for (String example : EXAMPLES) {
            int space = example.indexOf(' ');
            WORDS.put(example.substring(0, space), example.substring(space + 1));
        }
    }

    private Phonemes() {}

    /** A phoneme without the digit of its stress. */
    public static String sound(String phoneme) {
        int end = phoneme.length();
        while (end > 0 && phoneme.charAt(end - 1) >= '0' && phoneme.charAt(end - 1) <= '9') {
            --end;
        }
        return phoneme.substring(0, end);
    }

    /** A word that has the sound, or null for what is no phoneme. */
    public static String example(String phoneme) {
        return WORDS.get(sound(phoneme));
    }

    /** 1 for the main stress of a word, 2 for another, else 0. */
    public static int stress(String phoneme) {
        char last = phoneme.isEmpty() ? ' ' : phoneme.charAt(phoneme.length() - 1);
        return last == '1' || last == '2' ? last - '0' : 0;
    }

    /** The phonemes of a pronunciation, which stand between spaces. */
    public static List<String> of(String pronunciation) {
        return Words.of(pronunciation, Integer.MAX_VALUE);
    }

    /** A pronunciation with a hint for each sound: "AE1 as in cat, stressed". */
    public static String explained(String pronunciation) {
        StringBuilder out = new StringBuilder();
        List<String> told = new ArrayList<String>();
        for (String phoneme : of(pronunciation)) {
            String example = example(phoneme);
            if (example == null || told.contains(phoneme)) {
                continue;
            }
            told.add(phoneme);
            out.append(out.length() == 0 ? "" : "\n").append(phoneme).append("  as in ").append(example);
            out.append(stress(phoneme) == 1 ? ", stressed" : stress(phoneme) == 2 ? ", lightly stressed" : "");
        }
        return out.toString();
    }
}
