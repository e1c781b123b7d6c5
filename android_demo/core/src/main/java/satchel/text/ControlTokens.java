package satchel.text;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import satchel.tokenizer.AddedToken;
import satchel.tokenizer.Tokenizer;

/** The tokens with power in a conversation: the special ones, and every added one that the markup itself uses. */
final class ControlTokens {
    private static final Comparator<String> LONGEST_FIRST = new Comparator<String>() {
        @Override
        public int compare(String one, String other) {
            return other.length() - one.length();
        }
    };

    private final Tokenizer tokenizer;
    private final Map<String, Integer> ids = new LinkedHashMap<String, Integer>();
    private final List<String> names;
    private final Set<Integer> powerful;

    ControlTokens(Tokenizer tokenizer, ChatFormat chat) {
        this.tokenizer = tokenizer;
        StringBuilder markup = new StringBuilder();
        for (String joint : chat.markup()) {
            markup.append(joint).append('\0');
        }
        for (AddedToken token : tokenizer.addedTokens()) {
            // Some tokenizers add runs of spaces or newlines as tokens; those are ordinary text.
            boolean used = !Whitespace.stripped(token.content).isEmpty() && markup.indexOf(token.content) >= 0;
            if (token.special || used) {
                ids.put(token.content, token.id);
            }
        }
        names = new ArrayList<String>(ids.keySet());
        names.remove("");
        Collections.sort(names, LONGEST_FIRST);
        powerful = new HashSet<Integer>(ids.values());
    }

    /** The ids of the control tokens that the markup writes. */
    int[] ofMarkup(List<ChatFormat.Segment> segments) {
        List<Integer> found = new ArrayList<Integer>();
        for (ChatFormat.Segment segment : segments) {
            if (segment.markup) {
                replaced(segment.text, null, found);
            }
        }
        return array(found);
    }

    /** The control tokens among some ids. */
    int[] among(int[] tokens) {
        List<Integer> found = new ArrayList<Integer>();
        for (int token : tokens) {
            if (powerful.contains(token)) {
                found.add(token);
            }
        }
        return array(found);
    }

    int[] encodeWhole(List<ChatFormat.Segment> segments) {
        StringBuilder text = new StringBuilder();
        for (ChatFormat.Segment segment : segments) {
            text.append(segment.text);
        }
        return tokenizer.encode(text.toString(), false).ids;
    }

    /** Encodes with a twin whose control tokens have secret names, which only the markup is told. */
    int[] encodeGuarded(List<ChatFormat.Segment> segments) {
        String seal = seal();
        Map<String, String> secret = new HashMap<String, String>();
        for (Map.Entry<String, Integer> entry : ids.entrySet()) {
            secret.put(entry.getKey(), "<|" + seal + "." + entry.getValue() + "|>");
        }
        List<AddedToken> renamed = new ArrayList<AddedToken>();
        for (AddedToken token : tokenizer.addedTokens()) {
            String name = secret.get(token.content);
            renamed.add(name == null ? token : renamed(token, name));
        }
        Tokenizer twin = tokenizer.withAddedTokens(renamed);
        // The twin may number its added tokens anew.
        Map<Integer, Integer> original = new HashMap<Integer, Integer>();
        for (AddedToken token : tokenizer.addedTokens()) {
            String name = secret.get(token.content);
            original.put(twin.tokenToId(name == null ? token.content : name), token.id);
        }
        StringBuilder text = new StringBuilder();
        for (ChatFormat.Segment segment : segments) {
            text.append(segment.markup ? replaced(segment.text, secret, null) : segment.text);
        }
        int[] found = twin.encode(text.toString(), false).ids.clone();
        for (int i = 0; i < found.length; ++i) {
            Integer id = original.get(found[i]);
            found[i] = id == null ? found[i] : id;
        }
        return found;
    }

    private static AddedToken renamed(AddedToken token, String name) {
        return new AddedToken(token.id, name, false, token.lstrip, token.rstrip, false, false);
    }

    /** A text with other names for its control tokens, longest names first; their ids are added to `found`. */
    private String replaced(String text, Map<String, String> others, List<Integer> found) {
        StringBuilder out = new StringBuilder();
        int place = 0;
        while (place < text.length()) {
            String name = nameAt(text, place);
            if (name == null) {
                out.append(text.charAt(place++));
                continue;
            }
            if (found != null) {
                found.add(ids.get(name));
            }
            out.append(others == null ? name : others.get(name));
            place += name.length();
        }
        return out.toString();
    }

    private String nameAt(String text, int place) {
        for (String name : names) {
            if (text.startsWith(name, place)) {
                return name;
            }
        }
        return null;
    }

    /** What nobody can guess. */
    private static String seal() {
        return String.format(Locale.ROOT, "%016x", new SecureRandom().nextLong());
    }

    private static int[] array(List<Integer> list) {
        int[] array = new int[list.size()];
        for (int i = 0; i < array.length; ++i) {
            array[i] = list.get(i);
        }
        return array;
    }
}
