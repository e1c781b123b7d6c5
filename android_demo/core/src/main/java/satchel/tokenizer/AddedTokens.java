package satchel.tokenizer;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The added tokens of a tokenizer: their ids, and where they are in texts. */
final class AddedTokens {
    private final Map<String, AddedToken> byContent = new HashMap<String, AddedToken>();
    private final Map<Integer, AddedToken> byId = new TreeMap<Integer, AddedToken>();
    private final Set<String> special = new HashSet<String>();
    private final Map<Integer, String> written = new HashMap<Integer, String>();
    private final TokenSearch raw;
    private final TokenSearch normalized;
    private final TextNormalizer normalizer;

    /** Tokens with the ids that they have. */
    AddedTokens(List<AddedToken> tokens, TextNormalizer normalizer) {
        this.normalizer = normalizer;
        for (AddedToken token : tokens) {
            byContent.put(token.content, token);
            byId.put(token.id, token);
            if (token.special) {
                special.add(token.content);
            }
            if (token.normalized && normalizer != null) {
                AlignedText text = AlignedText.of(token.content);
                normalizer.apply(text);
                written.put(token.id, text.toString());
            } else {
                written.put(token.id, token.content);
            }
        }
        raw = new TokenSearch(all(), false, null);
        normalized = new TokenSearch(all(), true, normalizer);
    }

    /**
     * The added tokens of tokenizer.json. One that the model knows has the model's id; the others are numbered on from
     * the model's, in their order, whatever ids the file gives them.
     */
    static AddedTokens read(Fields all, Model model, TextNormalizer normalizer) {
        List<AddedToken> tokens = new ArrayList<AddedToken>();
        Map<String, AddedToken> known = new HashMap<String, AddedToken>();
        int next = model.size();
        boolean some = all.all().containsKey("added_tokens");
        for (Object entry : some ? all.list("added_tokens") : Collections.emptyList()) {
            Fields fields = Fields.of(entry, "an added token");
            AddedToken token = new AddedToken(
                    fields.number("id"), fields.text("content"), fields.flag("special"), fields.flag("lstrip"),
                    fields.flag("rstrip"), fields.flag("normalized"), fields.flag("single_word"));
            AddedToken before = known.get(token.content);
            if (token.content.isEmpty() || (before != null && before.sameAs(token))) {
                continue;
            }
            int id = before != null ? before.id : model.vocabulary.find(token.content);
            token = token.withId(id >= 0 ? id : next++);
            known.put(token.content, token);
            tokens.add(token);
        }
        return new AddedTokens(tokens, normalizer);
    }

    /** Cuts a text into added tokens and parts that are normalised. */
    List<Part> cut(AlignedText text) {
        List<Part> parts = new ArrayList<Part>();
        raw.cut(text, parts);
        List<Part> cut = new ArrayList<Part>(parts.size());
        for (Part part : parts) {
            if (part.id >= 0) {
                cut.add(part);
                continue;
            }
            if (normalizer != null) {
                normalizer.apply(part.text);
            }
            if (part.text.length > 0) {
                normalized.cut(part.text, cut);
            }
        }
        return cut;
    }

    /** By their ids. */
    List<AddedToken> all() {
        return new ArrayList<AddedToken>(byId.values());
    }

    /** How a token is written where ids become text: normalised, if texts are before it is looked for; or null. */
    String written(int id) {
        return written.get(id);
    }

    AddedToken withContent(String content) {
        return byContent.get(content);
    }

    boolean isSpecial(String content) {
        return special.contains(content);
    }
}
