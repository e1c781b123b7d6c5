package satchel.tokenizer;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class NormalizersTest {
    private static String normalized(String text, String normalizer) {
        return Made.spelled(text, "'normalizer': " + normalizer);
    }

    @Test
    public void formsOfUnicode() {
        assertEquals("\u00e9\u1ed9", normalized("e\u0301o\u0302\u0323", "{'type': 'NFC'}"));
        assertEquals("e\u0301\u1112\u1161\u11ab", normalized("\u00e9\ud55c", "{'type': 'NFD'}"));
        assertEquals("fi1/2", normalized("\ufb011/2", "{'type': 'NFKC'}"));
        assertEquals("\u304c", normalized("\u304b\u3099", "{'type': 'NFKC'}"));
        assertEquals("A\u030a", normalized("\u212b", "{'type': 'NFKD'}"));
    }

    @Test
    public void charactersNewerThanTheLibraryStayAsTheyAre() {
        assertEquals("\u32ff", normalized("\u32ff", "{'type': 'NFKC'}"));
        assertEquals("\ud83e\udff1", normalized("\ud83e\udff1", "{'type': 'NFKD'}"));
    }

    @Test
    public void smallLettersKnowNoNeighbours() {
        assertEquals("\u03bf\u03c3 i\u0307 \u0131", normalized("\u039f\u03a3 \u0130 \u0131", "{'type': 'Lowercase'}"));
        assertEquals("\ud801\udc28", normalized("\ud801\udc00", "{'type': 'Lowercase'}"));
    }

    @Test
    public void cleaningOfBert() {
        String bert = "{'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': true,"
                + " 'strip_accents': null, 'lowercase': true}";
        assertEquals("uber  \u4e16  \u754c  x", normalized("\u00dcb\u0000er\t\u4e16\u754c x", bert));
    }

    @Test
    public void replacing() {
        assertEquals("a b", normalized("a \t\n b", "{'type': 'Replace', 'pattern': {'Regex': '\\\\s+'}, 'content': ' '}"));
        assertEquals("\"x\"", normalized("''x''", "{'type': 'Replace', 'pattern': {'String': '\\u0027\\u0027'},"
                + " 'content': '\\u0022'}"));
        assertEquals("-a-b-", normalized("ab", "{'type': 'Replace', 'pattern': {'String': ''}, 'content': '-'}"));
    }

    @Test
    public void placesAreOfTheOriginal() { // of what composes the first character's
        Encoding encoding = Made.of(Made.BYTES, "'normalizer': {'type': 'NFC'}").encode("xe\u0301\ud83d\ude42", false);
        assertArrayEquals(new int[] {0, 1, 1, 3, 3, 3, 3}, encoding.starts);
        assertArrayEquals(new int[] {1, 2, 2, 4, 4, 4, 4}, encoding.ends);
    }

    @Test
    public void rulesOfSentencePiece() {
        // One rule: "a" becomes "xy".
        String map = charsmap();
        assertEquals("xybxyxy", normalized("abaa", "{'type': 'Precompiled', 'precompiled_charsmap': '" + map + "'}"));
        // A whole grapheme of less than six bytes becomes what its beginning does.
        assertEquals("xyb", normalized("a\u0301b", "{'type': 'Precompiled', 'precompiled_charsmap': '" + map + "'}"));
    }

    private static String charsmap() {
        int[] units = new int[256];
        units[0] = 1 << 10; // the root's children are at 1 ^ label
        int node = 1 ^ 'a';
        units[node] = 'a' | 0x100 | (node ^ 2) << 10; // whose leaf is at 2
        units[2] = 0x80000000;
        byte[] data = new byte[4 + 4 * units.length + 3];
        data[1] = 4; // 1024 bytes of units
        for (int i = 0; i < units.length; ++i) {
            for (int b = 0; b < 4; ++b) {
                data[4 + 4 * i + b] = (byte) (units[i] >> 8 * b);
            }
        }
        data[1028] = 'x';
        data[1029] = 'y';
        return java.util.Base64.getEncoder().encodeToString(data);
    }

    @Test
    public void graphemes() {
        int[] text = AlignedText.codePoints(
                "\ud83d\udc68\u200d\ud83d\udc69\ud83c\uddf3\ud83c\uddf1\ud83c\uddeb\r\n"
                + "a\u0301\u0915\u094d\u0937\u1112\u1161\u11ab");
        int[] ends = {3, 5, 6, 8, 10, 13, 16};
        int at = 0;
        for (int end : ends) {
            at = Graphemes.end(text, text.length, at);
            assertEquals(end, at);
        }
    }
}
