package satchel.text;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.json.Json;
import satchel.tokenizer.Tokenizer;

/** A tokenizer of single bytes, "he" and three added tokens: <s>, <e> (both special) and <plain>. */
final class Tokenizers {
    static final int HE = 256;
    static final int START = 257;
    static final int END = 258;
    static final int PLAIN = 259;

    private Tokenizers() {}

    static Tokenizer bytes(File folder) throws IOException {
        File file = new File(folder, "tokenizer.json");
        FileOutputStream out = new FileOutputStream(file);
        try {
            out.write(Json.write(content()).getBytes(Charset.forName("UTF-8")));
        } finally {
            out.close();
        }
        return Tokenizer.read(file);
    }

    private static Map<String, Object> content() {
        Map<String, Object> vocab = new LinkedHashMap<String, Object>();
        int other = 256;
        for (int b = 0; b < 256; ++b) {
            boolean printed = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174);
            vocab.put(String.valueOf((char) (printed ? b : other++)), b);
        }
        vocab.put("he", HE);
        Map<String, Object> model = new LinkedHashMap<String, Object>();
        model.put("type", "BPE");
        model.put("vocab", vocab);
        model.put("merges", Arrays.asList("h e"));
        Map<String, Object> level = new LinkedHashMap<String, Object>();
        level.put("type", "ByteLevel");
        level.put("add_prefix_space", false);
        level.put("trim_offsets", true);
        level.put("use_regex", true);
        List<Object> added = new ArrayList<Object>();
        added.add(token(START, "<s>", true));
        added.add(token(END, "<e>", true));
        added.add(token(PLAIN, "<plain>", false));
        Map<String, Object> content = new LinkedHashMap<String, Object>();
        content.put("version", "1.0");
        content.put("truncation", null);
        content.put("padding", null);
        content.put("added_tokens", added);
        content.put("normalizer", null);
        content.put("pre_tokenizer", level);
        content.put("post_processor", null);
        content.put("decoder", level);
        content.put("model", model);
        return content;
    }

    private static Map<String, Object> token(int id, String content, boolean special) {
        Map<String, Object> token = new LinkedHashMap<String, Object>();
        token.put("id", id);
        token.put("content", content);
        token.put("single_word", false);
        token.put("lstrip", false);
        token.put("rstrip", false);
        token.put("normalized", false);
        token.put("special", special);
        return token;
    }
}
