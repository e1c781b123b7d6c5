package satchel.tokenizer;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import java.nio.charset.Charset;
import satchel.SatchelException;

/** Small tokenizers for tests, put together of the parts of a tokenizer.json. */
final class Made {
    /** Every byte as a token, so that ids spell what becomes of a text. */
    static final String BYTES = bytes();

    private Made() {}

    private static String bytes() {
        StringBuilder vocab = new StringBuilder("{");
        for (int b = 0; b < 256; ++b) {
            vocab.append(b == 0 ? "" : ", ").append('"').append(Bpe.byteToken(b)).append("\": ").append(b);
        }
        return "{'type': 'BPE', 'byte_fallback': true, 'vocab': ".replace('\'', '"') + vocab + "}, \"merges\": []}";
    }

    /** A tokenizer of a model and further members, written with ' for ". */
    static Tokenizer of(String model, String... members) {
        StringBuilder json = new StringBuilder("{\"version\": \"1.0\", \"model\": ").append(model.replace('\'', '"'));
        for (String member : members) {
            json.append(", ").append(member.replace('\'', '"'));
        }
        return Tokenizer.parse(json.append('}').toString().getBytes(Charset.forName("UTF-8")));
    }

    /** What a text is after the members' normalisation, words apart by |. */
    static String spelled(String text, String... members) {
        Encoding encoding = of(BYTES, members).encode(text, false);
        StringBuilder out = new StringBuilder();
        byte[] bytes = new byte[encoding.size()];
        int size = 0;
        for (int i = 0; i < encoding.size(); ++i) {
            if (i > 0 && encoding.words[i] != encoding.words[i - 1]) {
                out.append(Utf8.decode(bytes, size)).append('|');
                size = 0;
            }
            bytes[size++] = (byte) encoding.ids[i];
        }
        return out.append(Utf8.decode(bytes, size)).toString();
    }

    /** Asserts that a tokenizer is refused, with those words. */
    static void refused(String words, String model, String... members) {
        try {
            of(model, members);
        } catch (SatchelException error) {
            assertEquals("TOKENIZER_INVALID", error.code);
            assertEquals(4, error.exitStatus);
            if (!error.getMessage().contains(words)) {
                fail(error.getMessage() + " does not tell of " + words);
            }
            return;
        }
        fail("not refused: " + words);
    }
}
