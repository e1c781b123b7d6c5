package satchel.cli;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.Test;
import satchel.json.Json;

public class ReadableTest {
    private static final String[] OBEYED = {
        "\u001b[2J", "\u009b31m", "\u2028", "\u2029", "\u202e", "\u2066", "\ufeff", "\udb40\udc41", "\u007f"
    };

    @Test
    public void nothingThatATerminalObeys() {
        for (String sign : OBEYED) {
            Map<String, Object> value = new LinkedHashMap<String, Object>();
            value.put("text", "a" + sign + "b");
            value.put("name" + sign, Arrays.<Object>asList(sign, 1.5, null));
            String line = Readable.json(value);
            assertEquals(value, Json.parse(line));
            assertFalse(line.contains(sign.substring(0, 1)));
            assertFalse(Readable.text(sign).contains(sign.substring(0, 1)));
        }
        assertEquals("a\\x1b[2Jb\n", Readable.text("a\u001b[2Jb\n"));
        assertEquals("\\U000e0041", Readable.text("\udb40\udc41"));
    }

    @Test
    public void otherLettersAreShown() {
        for (String text : new String[] {"caf\u00e9", "\u4e16\u754c", "\ud83d\udc68\u200d\ud83d\udc69", "a\u200cb"}) {
            assertEquals(text, Readable.text(text));
            assertEquals("\"" + text + "\"", Readable.json(text));
        }
        assertEquals("\"quote \\\" and \\\\ slash\"", Readable.json("quote \" and \\ slash"));
        assertEquals("a\\u200db\\xa0c", Readable.plain("a\u200db\u00a0c"));
        assertEquals("a b c", Readable.oneLine(" a\u00a0b\n\tc "));
    }

    @Test
    public void bytesOfACommandLine() {
        byte[] bytes = {'a', (byte) 0xc3, (byte) 0xa9, (byte) 0xff, (byte) 0xf0, (byte) 0x9f, (byte) 0x98, (byte) 0x80,
            (byte) 0xed, (byte) 0xa0, (byte) 0x80, (byte) 0xc3};
        assertEquals("a\u00e9\udcff\ud83d\ude00\udced\udca0\udc80\udcc3", CommandLine.decoded(bytes));
    }

    @Test
    public void clocks() {
        assertEquals("00:59.99", Transcribe.clock(59.99));
        assertEquals("01:00.00", Transcribe.clock(59.999));
        assertEquals("01:02:03.45", Transcribe.clock(3723.45));
    }

    @Test
    public void indentedMaps() {
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        map.put("a", 1);
        map.put("b", Collections.singletonMap("c", 0.5));
        assertEquals("{\n \"a\": 1,\n \"b\": {\n  \"c\": 0.5\n }\n}", Readable.indented(map));
    }

    @Test
    public void tables() {
        assertEquals("a     1  2\nlong     3",
                Table.of(Arrays.asList(new String[] {"a", "1", "2"}, new String[] {"long", "", "3"})));
        assertEquals("a   x\nbc  y", Table.left(Arrays.asList(new String[] {"a", "x"}, new String[] {"bc", "y"})));
    }

    @Test
    public void headersOfVectors() {
        byte[] header = Vectors.header(3, 384);
        assertEquals(0, header.length % 64);
        assertEquals('\n', header[header.length - 1]);
        assertEquals(header.length - 10, (header[8] & 0xff) | (header[9] & 0xff) << 8);
        String text = new String(header, 10, header.length - 10, Console.UTF_8);
        assertEquals("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 384), }", text.trim());
    }

    @Test
    public void turnedPictures() {
        int[] lies = {1, 2, 3, 4, 5, 6}; // 3 x 2
        int[][] stands = {
            {1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
            {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}
        };
        for (int orientation = 1; orientation <= 8; ++orientation) {
            int[] found = ImageFiles.turned(lies, 3, 2, orientation).argb;
            assertArrayEquals("orientation " + orientation, stands[orientation - 1], found);
        }
        byte[] jpeg = {(byte) 0xff, (byte) 0xd8, (byte) 0xff, (byte) 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
            'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0};
        assertEquals(6, ImageFiles.orientation(jpeg));
        assertEquals(1, ImageFiles.orientation(Arrays.copyOf(jpeg, 20)));
        assertEquals(1, ImageFiles.orientation(new byte[] {'P', 'N', 'G'}));
    }
}
