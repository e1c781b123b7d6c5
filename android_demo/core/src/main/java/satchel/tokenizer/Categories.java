package satchel.tokenizer;

import java.util.Locale;

/** Names of Unicode's general categories as sets of bits, numbered as java.lang.Character does. */
final class Categories {
    private static final String[] NAMES = {
        "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", null,
        "Co", "Cs", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi", "Pf"
    };
    private static final String[] LONG = {
        "letter", "L", "mark", "M", "number", "N", "punctuation", "P", "symbol", "S", "separator", "Z", "other", "C",
        "uppercase_letter", "Lu", "lowercase_letter", "Ll", "titlecase_letter", "Lt", "modifier_letter", "Lm",
        "other_letter", "Lo", "nonspacing_mark", "Mn", "enclosing_mark", "Me", "spacing_mark", "Mc",
        "decimal_number", "Nd", "letter_number", "Nl", "other_number", "No",
    };

    private Categories() {}

    /** The bits of a category, or of all that begin with its one letter; 0 where there is none of that name. */
    static int mask(String name) {
        String wanted = name.toLowerCase(Locale.ROOT);
        for (int i = 0; i < LONG.length; i += 2) {
            if (LONG[i].equals(wanted)) {
                wanted = LONG[i + 1].toLowerCase(Locale.ROOT);
            }
        }
        int mask = 0;
        for (int i = 0; i < NAMES.length; ++i) {
            if (NAMES[i] == null) {
                continue;
            }
            String known = NAMES[i].toLowerCase(Locale.ROOT);
            if (wanted.equals(known) || (wanted.length() == 1 && known.startsWith(wanted))) {
                mask |= 1 << i;
            }
        }
        return mask;
    }
}
