package satchel.tokenizer;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import satchel.SatchelException;

/**
 * Texts to ids and back, as a tokenizer.json says: ids, places, types and words equal those of the `tokenizers`
 * library. What it has that is not known here is refused when it is read.
 *
 * <p>May be used from several threads at once.
 */
public final class Tokenizer {
    private static final long LARGEST = 1L << 30;
    private static final List<String> KEYS = Arrays.asList(
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model");

    private final Model model;
    private final TextNormalizer normalizer;
    private final PreTokenizer preTokenizer;
    private final PostProcessor postProcessor;
    private final Decoder decoder;
    private final AddedTokens added;

    private Tokenizer(
            Model model, TextNormalizer normalizer, PreTokenizer preTokenizer, PostProcessor postProcessor,
            Decoder decoder, AddedTokens added) {
        this.model = model;
        this.normalizer = normalizer;
        this.preTokenizer = preTokenizer;
        this.postProcessor = postProcessor;
        this.decoder = decoder;
        this.added = added;
    }

    /**
     * Reads a tokenizer.json, without the truncation and padding it may ask for.
     *
     * @throws SatchelException TOKENIZER_INVALID for what cannot be read, is damaged or not known
     */
    public static Tokenizer read(File tokenizerJson) {
        return parse(content(tokenizerJson));
    }

    /** Reads the content of a tokenizer.json. */
    public static Tokenizer parse(byte[] json) {
        if (!Utf8.isSound(json)) {
            throw Invalid.file("it is not UTF-8");
        }
        JsonSpan span = new JsonSpan(json, 0, json.length);
        Fields fields = Fields.of(span.members("model"), "the whole");
        span.finish();
        for (String key : fields.all().keySet()) {
            if (!KEYS.contains(key)) {
                throw Invalid.unknown("key", key);
            }
        }
        if (fields.all().containsKey("version") && !"1.0".equals(fields.get("version"))) {
            throw Invalid.unknown("version", fields.get("version"));
        }
        Model model = Model.read(fields.get("model"));
        TextNormalizer normalizer = TextNormalizer.read(fields.get("normalizer"));
        return new Tokenizer(
                model, normalizer, PreTokenizer.read(fields.get("pre_tokenizer")),
                PostProcessor.read(fields.get("post_processor")), Decoder.read(fields.get("decoder")),
                AddedTokens.read(fields, model, normalizer));
    }

    private static byte[] content(File file) {
        long size = file.length();
        if (size > LARGEST) {
            throw Invalid.file("it has " + size + " bytes");
        }
        byte[] bytes = new byte[(int) size];
        try {
            FileInputStream in = new FileInputStream(file);
            try {
                int got = 0;
                int more;
                while (got < bytes.length && (more = in.read(bytes, got, bytes.length - got)) > 0) {
                    got += more;
                }
                if (got < bytes.length) {
                    throw new IOException("the file has become shorter");
                }
            } finally {
                in.close();
            }
        } catch (IOException error) {
            throw Invalid.file("it cannot be read: " + error.getMessage());
        }
        return bytes;
    }

    /** One text as ids; with or without the special tokens that go around it. */
    public Encoding encode(String text, boolean specialTokens) {
        return encode(text, null, specialTokens);
    }

    /** Two texts as one row of ids; the second may be null. */
    public Encoding encode(String first, String second, boolean specialTokens) {
        List<Row> rows = new ArrayList<Row>(2);
        rows.add(row(first, 0));
        if (second != null) {
            rows.add(row(second, 1));
        }
        for (int i = 0; i < rows.size(); ++i) {
            rows.get(i).setSequence(i);
        }
        if (postProcessor != null) {
            rows = postProcessor.process(rows, specialTokens);
        }
        if (rows.size() == 1) {
            return rows.get(0).encoding();
        }
        Row whole = new Row(false);
        for (Row row : rows) {
            whole.append(row);
        }
        return whole.encoding();
    }

    /** How many special tokens go around a text, or two. */
    public int specialTokens(boolean two) {
        return encode("", two ? "" : null, true).size();
    }

    private Row row(String text, int type) {
        check(text);
        boolean keepsTexts = postProcessor != null && postProcessor.readsTexts();
        List<Part> parts = added.cut(AlignedText.of(text));
        if (preTokenizer != null) {
            parts = preTokenizer.apply(parts);
        }
        Row row = new Row(keepsTexts);
        Tokens tokens = new Tokens();
        for (int word = 0; word < parts.size(); ++word) {
            Part part = parts.get(word);
            AlignedText span = part.text;
            tokens.clear();
            if (part.id >= 0) {
                tokens.add(part.id, 0, span.length);
            } else {
                model.tokenize(span, tokens);
            }
            for (int i = 0; i < tokens.size; ++i) {
                int from = tokens.starts[i];
                int to = tokens.ends[i];
                boolean some = from < to;
                String value = null;
                if (keepsTexts) {
                    value = part.id >= 0 || model.keepsText() ? span.text(from, to) : model.vocabulary.text(tokens.ids[i]);
                }
                row.add(tokens.ids[i], type, some ? span.starts[from] : span.from + from,
                        some ? span.ends[to - 1] : span.from + to, word, value);
            }
        }
        return row;
    }

    private static void check(String text) {
        for (int i = 0; i < text.length(); ++i) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                ++i;
                continue;
            }
            throw SatchelException.usage(
                    "the text holds a lone surrogate at character " + text.codePointCount(0, i), "PROMPT_ENCODING");
        }
    }

    /** The text of ids from `from` up to `to`; ids that are no token are left out. */
    public String decode(int[] ids, int from, int to, boolean skipSpecialTokens) {
        List<String> tokens = new ArrayList<String>(to - from);
        for (int i = from; i < to; ++i) {
            String token = idToToken(ids[i]);
            if (token != null && !(skipSpecialTokens && added.isSpecial(token))) {
                tokens.add(token);
            }
        }
        StringBuilder text = new StringBuilder();
        List<String> decoded = decoder == null ? tokens : decoder.apply(tokens);
        for (int i = 0; i < decoded.size(); ++i) {
            if (i > 0 && decoder == null) {
                text.append(' ');
            }
            text.append(decoded.get(i));
        }
        return text.toString();
    }

    /** The text of ids. */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        return decode(ids, 0, ids.length, skipSpecialTokens);
    }

    /** The token of an id, null where there is none; an added token that is looked for normalised is so here too. */
    public String idToToken(int id) {
        String token = added.written(id);
        return token != null ? token : model.vocabulary.text(id);
    }

    /** The id of a token, -1 where there is none. */
    public int tokenToId(String token) {
        AddedToken known = added.withContent(token);
        return known != null ? known.id : model.vocabulary.find(token);
    }

    /** The added tokens, by their ids. */
    public List<AddedToken> addedTokens() {
        return Collections.unmodifiableList(added.all());
    }

    /** How many tokens, the added ones with them. */
    public int size() {
        int size = model.vocabulary.size();
        for (AddedToken token : added.all()) {
            size += model.vocabulary.find(token.content) < 0 ? 1 : 0;
        }
        return size;
    }

    /** The highest id of a token, plus one. */
    public int vocabularySize() {
        int size = model.vocabulary.highest() + 1;
        for (AddedToken token : added.all()) {
            size = Math.max(size, token.id + 1);
        }
        return size;
    }

    /**
     * A twin that knows other added tokens, with the ids that they are given here, and nothing that goes around a
     * text. It shares everything else with this one.
     */
    public Tokenizer withAddedTokens(List<AddedToken> renamed) {
        return new Tokenizer(model, normalizer, preTokenizer, null, decoder, new AddedTokens(renamed, normalizer));
    }
}
