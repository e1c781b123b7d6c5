package satchel.encoder;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import satchel.tokenizer.Encoding;
import satchel.tokenizer.Tokenizer;

/** Texts cut and read in pieces, and which of them share a run. */
public class PreparationTest {
    private static final String TOKENIZER = "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,"
            + " \"added_tokens\": [], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"},"
            + " \"post_processor\": {\"type\": \"TemplateProcessing\","
            + " \"single\": [{\"SpecialToken\": {\"id\": \"<\", \"type_id\": 0}},"
            + " {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}},"
            + " {\"SpecialToken\": {\"id\": \">\", \"type_id\": 0}}],"
            + " \"pair\": [{\"SpecialToken\": {\"id\": \"<\", \"type_id\": 0}},"
            + " {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \">\", \"type_id\": 0}},"
            + " {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}, {\"SpecialToken\": {\"id\": \">\", \"type_id\": 1}}],"
            + " \"special_tokens\": {\"<\": {\"id\": \"<\", \"ids\": [0], \"tokens\": [\"<\"]},"
            + " \">\": {\"id\": \">\", \"ids\": [1], \"tokens\": [\">\"]}}},"
            + " \"decoder\": null, \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"?\","
            + " \"vocab\": {\"<\": 0, \">\": 1, \"?\": 2, \"a\": 3, \"b\": 4, \"c\": 5,"
            + " \"d\": 6, \"e\": 7, \"f\": 8}}}";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private Tokenizer tokenizer;

    @Before
    public void write() throws IOException {
        File file = folder.newFile("tokenizer.json");
        FileOutputStream out = new FileOutputStream(file);
        out.write(TOKENIZER.getBytes("UTF-8"));
        out.close();
        tokenizer = Tokenizer.read(file);
    }

    @Test
    public void aTextIsCutAtItsEndOrItsBeginning() {
        Encoding whole = tokenizer.encode("a b c d e", true);
        assertFalse(Cutting.cuts(whole, 7));
        assertTrue(Cutting.cuts(whole, 6));
        assertArrayEquals(new int[] {0, 3, 4, 5, 6, 7, 1}, Cutting.first(whole, 7, false).ids);
        assertArrayEquals(new int[] {0, 3, 4, 1}, Cutting.first(whole, 4, false).ids);
        assertArrayEquals(new int[] {0, 6, 7, 1}, Cutting.first(whole, 4, true).ids);
        assertArrayEquals(new int[] {0, 1}, Cutting.first(whole, 2, false).ids);
    }

    @Test
    public void theLongerTextOfAPairIsCutFirst() {
        Encoding pair = tokenizer.encode("a b c d e", "f f", true);
        assertArrayEquals(new int[] {0, 3, 4, 5, 1, 8, 8, 1}, Cutting.first(pair, 8, false).ids);
        assertArrayEquals(new int[] {0, 3, 1, 8, 1}, Cutting.first(pair, 5, false).ids);
        assertArrayEquals(new int[] {0, 3, 4, 1, 8, 1}, Cutting.first(pair, 6, false).ids);
        Encoding other = tokenizer.encode("f f", "a b c d e", true);
        assertArrayEquals(new int[] {0, 8, 8, 1, 6, 7, 1}, Cutting.first(other, 7, true).ids);
        assertArrayEquals(new int[] {0, 0, 0, 0, 1, 1, 1}, Cutting.first(other, 7, true).types);
    }

    @Test
    public void piecesOverlap() {
        List<Piece> pieces = Cutting.pieces(tokenizer.encode("a b c d e", true), 5, 1, false);
        assertEquals(2, pieces.size());
        assertArrayEquals(new int[] {0, 3, 4, 5, 1}, pieces.get(0).ids);
        assertArrayEquals(new int[] {0, 5, 6, 7, 1}, pieces.get(1).ids);
        assertEquals(4, pieces.get(1).starts[1]);
        List<Piece> asked = Cutting.pieces(tokenizer.encode("f", "a b c", true), 6, 1, true);
        assertEquals(2, asked.size());
        assertArrayEquals(new int[] {0, 8, 1, 3, 4, 1}, asked.get(0).ids);
        assertArrayEquals(new int[] {0, 8, 1, 4, 5, 1}, asked.get(1).ids);
        assertEquals(1, Cutting.pieces(tokenizer.encode("", true), 5, 1, false).size());
    }

    @Test
    public void piecesBecomeOneRowAgain() {
        List<Piece> pieces = Cutting.pieces(tokenizer.encode("a b c d e f", true), 6, 2, false);
        float[] first = {0, 1, 2, 3, 4, 0};
        float[] second = {0, 30, 40, 50, 60, 0};
        Assembled whole = new Assembled(pieces, Arrays.asList(first, second), 2, 0);
        assertArrayEquals(new float[] {1, 2, 3, 40, 50, 60}, whole.logits, 0);
        assertArrayEquals(new int[] {0, 2, 4, 6, 8, 10}, whole.starts);
    }

    @Test
    public void textsOfOneLengthShareARun() {
        List<int[]> batches = Batches.of(new int[] {2, 1, 2, 1024, 600, 600});
        assertEquals(5, batches.size());
        assertArrayEquals(new int[] {1}, batches.get(0));
        assertArrayEquals(new int[] {0, 2}, batches.get(1));
        assertArrayEquals(new int[] {4}, batches.get(2));
        assertArrayEquals(new int[] {5}, batches.get(3));
        assertArrayEquals(new int[] {3}, batches.get(4));
    }

    @Test
    public void lowerCaseIsThatOfPython() {
        String small = "\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c2 \u03c3";
        assertEquals(small, Letters.lower("\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3"));
        assertEquals("i\u0307 stra\u00dfe", Letters.lower("\u0130 STRA\u00dfE"));
    }
}
