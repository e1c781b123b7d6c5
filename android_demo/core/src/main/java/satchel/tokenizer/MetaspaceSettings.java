package satchel.tokenizer;

/** How spaces are written as letters: what letter, and whether one is put before a text. */
final class MetaspaceSettings {
    static final int ALWAYS = 0;
    static final int FIRST = 1;
    static final int NEVER = 2;

    final int letter;
    final int scheme;
    final boolean splits;

    MetaspaceSettings(Fields fields) {
        letter = fields.character("replacement");
        String name = fields.text("prepend_scheme", "always");
        int named = name.equals("always") ? ALWAYS : name.equals("first") ? FIRST : name.equals("never") ? NEVER : -1;
        if (named < 0) {
            throw Invalid.unknown("prepend_scheme", name);
        }
        if (named != NEVER && !fields.flag("add_prefix_space", true)) { // an older name, which has to agree
            throw fields.wrong("add_prefix_space", "what its prepend_scheme says");
        }
        scheme = named;
        splits = fields.flag("split", true);
    }
}
