package satchel.app.text;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.Test;
import satchel.SatchelException;

public final class TextsTest {
    @Test
    public void words() {
        assertEquals(Arrays.asList("one", "two's", "three"), Words.of(" one two's\t\nthree\u00a0", 9));
        assertEquals(Arrays.asList("one", "two"), Words.of("one two three", 2));
        assertEquals(Collections.<String>emptyList(), Words.of(" \n ", 9));
    }

    @Test
    public void lines() {
        assertEquals(Arrays.asList("a b", "c"), Words.lines("\ufeff a b \r\n\r\n\n  c"));
        assertEquals(Collections.<String>emptyList(), Words.lines(""));
    }

    @Test
    public void phonemes() {
        assertEquals(Arrays.asList("S", "AE1", "CH", "AH0", "L"), Phonemes.of("S AE1 CH AH0 L"));
        assertEquals("AE", Phonemes.sound("AE1"));
        assertEquals("cat", Phonemes.example("AE2"));
        assertNull(Phonemes.example("XX"));
        assertEquals(1, Phonemes.stress("AE1"));
        assertEquals(0, Phonemes.stress("L"));
        assertEquals(
                "S  as in sea\nAE1  as in cat, stressed\nL  as in lee", Phonemes.explained("S AE1 S XX L"));
    }

    @Test
    public void nearest() {
        TextIndex index = new TextIndex();
        assertEquals(Arrays.asList("a", "b", "c"), index.set(Arrays.asList("a", "b", "c", "a")));
        index.put("a", new float[] {2, 0});
        index.put("b", new float[] {1, 1});
        index.put("c", new float[] {0, -3});
        List<TextIndex.Found> found = index.nearest(new float[] {10, 9}, 2);
        assertEquals(2, found.size());
        assertEquals("b", found.get(0).text);
        assertEquals(19 / Math.sqrt(2 * 181), found.get(0).score, 1e-6);
        assertEquals("a", found.get(1).text);
    }

    @Test
    public void onlyNewTextsNeedVectors() {
        TextIndex index = new TextIndex();
        index.set(Arrays.asList("a", "b"));
        index.put("a", new float[] {1});
        index.put("b", new float[] {1});
        assertEquals(Collections.singletonList("c"), index.set(Arrays.asList("b", "c")));
        assertEquals(Arrays.asList("a", "c"), index.set(Arrays.asList("a", "b", "c")));
        index.forget();
        assertEquals(3, index.set(Arrays.asList("a", "b", "c")).size());
        assertTrue(index.nearest(new float[] {1}, 5).isEmpty());
    }

    @Test
    public void bounds() {
        List<String> many = new ArrayList<String>();
        for (int i = 0; i <= TextIndex.MOST; ++i) {
            many.add("text " + i);
        }
        try {
            new TextIndex().set(many);
            fail();
        } catch (SatchelException error) {
            assertEquals("LIMIT", error.code);
        }
    }
}
