package satchel.encoder;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;
import satchel.Classification;
import satchel.Picture;
import satchel.SatchelException;

/** Scores of labels, and what a manifest may say of images. */
public class ScoresTest {
    @Test
    public void scoresAreActivated() {
        float[] logits = {1, -2, 0.5f};
        assertArrayEquals(logits, Scores.activated(logits, "identity"), 0);
        assertArrayEquals(new float[] {0.6037489f, 0.0300590f, 0.3661922f}, Scores.activated(logits, "softmax"), 1e-6f);
        assertArrayEquals(new float[] {0.7310586f, 0.1192029f, 0.6224593f}, Scores.activated(logits, "sigmoid"), 1e-6f);
        assertArrayEquals(new float[] {0, 1}, Scores.activated(new float[] {-1e30f, 1e30f}, "sigmoid"), 0);
    }

    @Test
    public void ofLabelsWithOneNameTheGreatestCounts() {
        List<String> names = Arrays.asList("crane", "kite", "crane");
        Classification found = Scores.classification(new float[] {1, 3, 2}, names, "identity");
        assertEquals("kite", found.label);
        assertEquals(Arrays.asList("crane", "kite"), new ArrayList<String>(found.scores.keySet()));
        assertEquals(2, found.scores.get("crane"), 0);
    }

    @Test
    public void equalOnesKeepTheirOrder() {
        assertArrayEquals(new int[] {2, 0, 3}, Scores.descending(new float[] {1, 0, 2, 1, -0f}, 3));
    }

    @Test
    public void aBrokenManifestIsRefused() {
        refuse("size", Arrays.<Object>asList(32L));
        refuse("size", Arrays.<Object>asList(32L, 0L));
        refuse("resize", 32L);
        refuse("shortest_edge", 0L);
        refuse("longest_edge", 5L);
        refuse("resample", 9L);
        refuse("rescale", "1/255");
        refuse("mean", Arrays.<Object>asList(0.5, 0.5, 1L)); // a number is always written with its point
        refuse("std", Arrays.<Object>asList(0.5, 0.5, 0.0));
        refuse("gamma", 2.2);
    }

    private static void refuse(String name, Object value) {
        Map<String, Object> raw = new LinkedHashMap<String, Object>();
        raw.put("size", Arrays.<Object>asList(8L, 8L));
        raw.put("resize", null);
        raw.put("shortest_edge", null);
        raw.put("longest_edge", null);
        raw.put("resample", 2L);
        raw.put("rescale", 0.1);
        raw.put("mean", Collections.nCopies(3, 0.5));
        raw.put("std", Collections.nCopies(3, 0.5));
        assertEquals(8, new ImageFormat(raw).height);
        raw.put(name, value);
        try {
            new ImageFormat(raw);
        } catch (SatchelException error) {
            assertEquals("BUNDLE", error.code);
            assertTrue(error.getMessage(), error.getMessage().contains(name));
            return;
        }
        throw new AssertionError(name + " = " + value);
    }

    @Test
    public void whatIsTransparentIsLaidOnWhite() {
        Picture picture = new Picture(new int[] {0x00123456, 0xff123456, 0x80000000}, 3, 1);
        byte[] wanted = {-1, -1, -1, 0x12, 0x34, 0x56, 127, 127, 127};
        assertArrayEquals(wanted, ImageFormat.onWhite(picture));
    }
}
