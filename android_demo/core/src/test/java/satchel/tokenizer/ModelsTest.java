package satchel.tokenizer;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import org.junit.Test;
import satchel.SatchelException;

public class ModelsTest {
    private static final String BPE = "{'type': 'BPE', 'unk_token': '<unk>', 'fuse_unk': FUSES, 'vocab': {'<unk>': 0, 'a': 1,"
            + " 'b': 2, 'c': 3, 'ab': 4, 'abc': 5}, 'merges': MERGES}";

    private static int[] ids(String model, String text) {
        return Made.of(model).encode(text, false).ids;
    }

    @Test
    public void bytePairs() {
        String old = BPE.replace("FUSES", "false").replace("MERGES", "['a b', 'ab c']");
        assertArrayEquals(new int[] {5, 4, 0, 0, 3}, ids(old, "abcab??c"));
        String pairs = BPE.replace("FUSES", "true").replace("MERGES", "[['a', 'b'], ['ab', 'c']]");
        assertArrayEquals(new int[] {5, 4, 0, 3}, ids(pairs, "abcab??c"));
    }

    @Test
    public void aLongWordMergesAsAShortOneDoes() {
        String model = BPE.replace("FUSES", "false").replace("MERGES", "['a b', 'ab c']");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 500; ++i) {
            text.append("abcab");
        }
        int[] ids = ids(model, text.toString());
        assertEquals(1000, ids.length);
        for (int i = 0; i < ids.length; ++i) {
            assertEquals(i % 2 == 0 ? 5 : 4, ids[i]);
        }
    }

    @Test
    public void mergesAreChecked() {
        Made.refused("out of vocabulary", BPE.replace("FUSES", "false").replace("MERGES", "['a z']"));
        Made.refused("not two tokens", BPE.replace("FUSES", "false").replace("MERGES", "['ab']"));
        Made.refused("by chance", "{'type': 'BPE', 'dropout': 0.5, 'vocab': {}, 'merges': []}");
    }

    @Test
    public void bytesWhereAVocabularyHasNoCharacter() {
        assertArrayEquals(new int[] {0xc3, 0xa9, 'a'}, ids(Made.BYTES, "\u00e9a"));
    }

    @Test
    public void wordPieces() {
        String model = "{'type': 'WordPiece', 'unk_token': '?', 'continuing_subword_prefix': '##',"
                + " 'max_input_chars_per_word': 6, 'vocab': {'?': 0, 'un': 1, '##a': 2, '##able': 3, '\ud83d\ude42': 4}}";
        assertArrayEquals(new int[] {1, 3}, ids(model, "unable"));
        assertArrayEquals(new int[] {0}, ids(model, "unables"));
        assertArrayEquals(new int[] {0}, ids(model, "una!"));
        assertArrayEquals(new int[] {4, 2}, ids(model, "\ud83d\ude42a"));
    }

    @Test
    public void unigram() {
        String model = "{'type': 'Unigram', 'unk_id': 0, 'vocab': [['<unk>', 0.0], ['a', 0.0], ['b', 0.0], ['c', 0.0], ['d', 0],"
                + " ['cd', 1.0], ['ab', 2.0], ['abc', 5.0], ['abcd', 10.0]]}";
        assertArrayEquals(new int[] {8, 1, 5, 0}, ids(model, "abcdacdxx"));
        Encoding encoding = Made.of(model).encode("abcdacdxx", false);
        assertArrayEquals(new int[] {0, 4, 5, 7}, encoding.starts);
        assertArrayEquals(new int[] {4, 5, 7, 9}, encoding.ends);
    }

    @Test
    public void wholeWords() {
        String model = "{'type': 'WordLevel', 'unk_token': 'nope', 'vocab': {'a': 7}}";
        assertArrayEquals(new int[] {7}, ids(model, "a"));
        try {
            ids(model, "b");
            fail("an unknown word without an unknown token");
        } catch (SatchelException error) {
            assertEquals("PROMPT_ENCODING", error.code);
        }
    }

    @Test
    public void halfACharacterIsNoText() {
        try {
            ids(Made.BYTES, "ab\ud800");
            fail("a lone surrogate");
        } catch (SatchelException error) {
            assertEquals("PROMPT_ENCODING", error.code);
            assertEquals("the text holds a lone surrogate at character 2", error.getMessage());
        }
    }

    @Test
    public void idsFarApart() {
        Tokenizer tokenizer = Made.of("{'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': 7, 'b': 2000000000}}");
        assertEquals(2000000000, tokenizer.tokenToId("b"));
        assertEquals("b", tokenizer.idToToken(2000000000));
        assertEquals(null, tokenizer.idToToken(8));
        assertEquals(-1, tokenizer.tokenToId("c"));
    }

    @Test
    public void damageIsRefused() {
        Made.refused("is not an object", "null");
        Made.refused("no whole number", "{'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': -1}}");
        Made.refused("is there twice", "{'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': 1, 'a': 2}}");
        Made.refused("not valid JSON", "{'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': 1]}");
        Made.refused("the model 'Other' is not known", "{'type': 'Other'}");
    }
}
