package satchel.text;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import satchel.SatchelException;
import satchel.tokenizer.Tokenizer;

public class TextStreamTest {
    private static final List<String> NONE = Collections.emptyList();

    @Rule
    public final TemporaryFolder place = new TemporaryFolder();

    private Tokenizer tokenizer;

    @Before
    public void read() throws IOException {
        tokenizer = Tokenizers.bytes(place.getRoot());
    }

    private static int[] bytes(String text) {
        byte[] bytes = text.getBytes(Charset.forName("UTF-8"));
        int[] ids = new int[bytes.length];
        for (int i = 0; i < ids.length; ++i) {
            ids[i] = bytes[i] & 0xff;
        }
        return ids;
    }

    private List<String> pieces(List<String> stop, int... ids) {
        TextStream stream = new TextStream(tokenizer, stop);
        List<String> pieces = new ArrayList<String>();
        for (int id : ids) {
            pieces.add(stream.add(id));
            if (stream.stopped()) {
                break;
            }
        }
        pieces.add(stream.close());
        return pieces;
    }

    private static String joined(List<String> pieces) {
        StringBuilder out = new StringBuilder();
        for (String piece : pieces) {
            out.append(piece);
        }
        return out.toString();
    }

    @Test
    public void wholeCharacters() {
        assertEquals(Arrays.asList("a", "", "\u00e9", "", "", "", "\ud83d\ude00", "b", ""),
                pieces(NONE, bytes("a\u00e9\ud83d\ude00b")));
        assertEquals(Arrays.asList("", "", "\ufffd"), pieces(NONE, 0xf0, 0x9f));
        assertEquals(Arrays.asList("he", "", "y", ""), pieces(NONE, Tokenizers.HE, Tokenizers.END, 'y'));
        assertEquals(Collections.singletonList(""), pieces(NONE));
    }

    @Test
    public void stopStrings() {
        List<String> stop = Arrays.asList("lo w", "world");
        assertEquals("hel", joined(pieces(stop, bytes("hello world"))));
        assertEquals("help", joined(pieces(stop, bytes("help"))));
        assertEquals(Arrays.asList("a", "", "", "bbc", ""), pieces(Arrays.asList("bbd"), bytes("abbc")));
        assertEquals("x", joined(pieces(Arrays.asList("abcd", "bc"), bytes("xbc"))));
        assertEquals("xa", joined(pieces(Arrays.asList("abcd", "bc"), bytes("xabcd")))); // complete first
        assertEquals("ab", joined(pieces(Arrays.asList("bc"), bytes("ab")))); // what was held is let go
    }

    @Test
    public void anyBytesGiveTheTextOfAllOfThem() {
        Random chance = new Random(5);
        for (int round = 0; round < 200; ++round) {
            int[] ids = new int[1 + chance.nextInt(120)];
            int kind = round % 4; // other mixtures of bytes that begin, go on or are letters
            for (int i = 0; i < ids.length; ++i) {
                int any = chance.nextInt(256);
                int[] some = {97, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80, Tokenizers.HE, Tokenizers.START, any};
                int within = 0x80 + chance.nextInt(64);
                ids[i] = kind == 0 ? chance.nextInt(260) : kind == 1 ? within : some[chance.nextInt(10)];
            }
            assertEquals(tokenizer.decode(ids, true), joined(pieces(NONE, ids)));
        }
    }

    @Test
    public void whatMustNotReachATokenizer() {
        refused("PROMPT_TOO_LONG", "has 65 characters, far more than a context of 2 tokens", repeated(65), 2);
        refused("PROMPT_ENCODING", "a lone surrogate at character 2", "a\ud83d\ude00\ud83d", 9);
        refused("USAGE", "expected a text", null, 9);
        assertEquals(3, Prompts.encode(tokenizer, "a<s>b", true, 9).ids.length);
        assertEquals("ab", Prompts.decoded(tokenizer, new int[] {'a', Tokenizers.START, 'b'}));
    }

    private static String repeated(int count) {
        char[] letters = new char[count];
        Arrays.fill(letters, 'x');
        return new String(letters);
    }

    private static void refused(String code, String words, String text, int context) {
        boolean refused = false;
        try {
            Prompts.check(text, context);
        } catch (SatchelException error) {
            refused = true;
            assertEquals(code, error.code);
            assertTrue(error.getMessage(), error.getMessage().contains(words));
        }
        assertTrue(words, refused);
    }

    @Test
    public void whiteSpace() {
        assertEquals("a\u200bb", Whitespace.stripped("\u3000 \u001fa\u200bb\u0085\n"));
        assertEquals("a b", Whitespace.single("\ta \u2028 b "));
        assertEquals(Arrays.asList("a", "", "b", "c"), Whitespace.lines("a\r\n\nb\u2029c\n"));
        assertFalse(Whitespace.is(0x200b));
        assertEquals("export", Near.to("exprt", Arrays.asList("export", "inspect")));
        assertEquals(null, Near.to("zzz", Arrays.asList("export", "inspect")));
    }
}
