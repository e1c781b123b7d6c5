package satchel.speech;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import satchel.encoder.Scores;
import satchel.text.Near;

/** The languages that speech is heard in, by their names and codes. Knows no model. */
public final class Languages {
    /** The language that means: listen which it is. */
    private static final String HEARD = "auto";
    /** Languages in an error. */
    private static final int SHOWN = 8;

    /** As Whisper's authors number them; behind a code its names, the first the usual one. */
    private static final String NAMES =
        "en english, zh chinese/mandarin, de german, es spanish/castilian, ru russian, ko korean, fr french, "
        + "ja japanese, pt portuguese, tr turkish, pl polish, ca catalan/valencian, nl dutch/flemish, ar arabic, "
        + "sv swedish, it italian, id indonesian, hi hindi, fi finnish, vi vietnamese, he hebrew, uk ukrainian, "
        + "el greek, ms malay, cs czech, ro romanian/moldavian/moldovan, da danish, hu hungarian, ta tamil, "
        + "no norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi maori, "
        + "ml malayalam, cy welsh, sk slovak, te telugu, fa persian, lv latvian, bn bengali, sr serbian, "
        + "az azerbaijani, sl slovenian, kn kannada, et estonian, mk macedonian, br breton, eu basque, "
        + "is icelandic, hy armenian, ne nepali, mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili, "
        + "gl galician, mr marathi, pa punjabi/panjabi, si sinhala/sinhalese, km khmer, sn shona, yo yoruba, "
        + "so somali, af afrikaans, oc occitan, ka georgian, be belarusian, tg tajik, sd sindhi, gu gujarati, "
        + "am amharic, yi yiddish, lo lao, uz uzbek, fo faroese, ht haitian creole/haitian, ps pashto/pushto, "
        + "tk turkmen, nn nynorsk, mt maltese, sa sanskrit, lb luxembourgish/letzeburgesch, my myanmar/burmese, "
        + "bo tibetan, tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala, ha hausa, "
        + "ba bashkir, jw javanese, su sundanese, yue cantonese";

    private static final Map<String, String> CODES = new LinkedHashMap<String, String>();

    static {
        for (String line : NAMES.split(", ")) {
            int space = line.indexOf(' ');
            for (String name : line.substring(space + 1).split("/")) {
                CODES.put(name, line.substring(0, space));
            }
        }
    }

    private Languages() {}

    /** Which of the {@code known} codes is meant by a name, a code or a token as "<|de|>"; null for none. */
    public static String codeOf(String asked, Collection<String> known) {
        String wanted = asked.trim().toLowerCase(Locale.ROOT);
        if (wanted.length() > 4 && wanted.startsWith("<|") && wanted.endsWith("|>")) {
            wanted = wanted.substring(2, wanted.length() - 2);
        }
        String code = known.contains(wanted) ? wanted : CODES.get(wanted);
        return known.contains(code) ? code : null;
    }

    /** Whether a name means that the language is to be heard. */
    public static boolean isHeard(String asked) {
        return asked.toLowerCase(Locale.ROOT).equals(HEARD);
    }

    /** The language that may have been meant, or some. */
    public static String near(String asked, Collection<String> known) {
        List<String> names = new ArrayList<String>();
        List<String> codes = new ArrayList<String>(known);
        codes.add(HEARD);
        Collections.sort(codes);
        names.addAll(codes);
        for (Map.Entry<String, String> entry : CODES.entrySet()) {
            if (known.contains(entry.getValue())) {
                names.add(entry.getKey());
            }
        }
        String close = Near.to(asked.trim().toLowerCase(Locale.ROOT), names);
        if (close != null) {
            return "near it: " + close;
        }
        StringBuilder some = new StringBuilder("known: ");
        for (int i = 0; i < Math.min(SHOWN, codes.size()); ++i) {
            some.append(i > 0 ? ", " : "").append(codes.get(i));
        }
        return codes.size() > SHOWN ? some + " and " + (codes.size() - SHOWN) + " more" : some.toString();
    }

    /** The probability of each language by its logit, the likeliest first. */
    public static Map<String, Double> chances(List<String> codes, float[] logits) {
        float[] chances = Scores.activated(logits, "softmax");
        Map<String, Double> found = new LinkedHashMap<String, Double>();
        for (int place : Scores.descending(chances, chances.length)) {
            found.put(codes.get(place), (double) chances[place]);
        }
        return found;
    }
}
