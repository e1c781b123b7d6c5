package satchel.tokenizer;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.Test;

public class TokenizerTest {
    private static final String WORDS = "{'type': 'WordLevel', 'unk_token': '?', 'vocab': {'?': 0, 'a': 1, 'b': 2, 'ab': 3}}";
    private static final String SPACES = "'pre_tokenizer': {'type': 'WhitespaceSplit'}";

    private static String added(int id, String content, String... flags) {
        StringBuilder json = new StringBuilder("{'id': " + id + ", 'content': '" + content + "'");
        for (String name : new String[] {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
            boolean set = false;
            for (String flag : flags) {
                set |= flag.equals(name);
            }
            json.append(", '").append(name).append("': ").append(set);
        }
        return json.append('}').toString();
    }

    @Test
    public void addedTokensAreCutOutFirst() {
        Tokenizer tokenizer = Made.of(WORDS, SPACES, "'added_tokens': [" + added(9, "<x>", "special") + ", "
                + added(9, "<x>y") + ", " + added(9, "<l>", "lstrip", "rstrip") + ", " + added(9, "Day", "single_word") + "]");
        assertArrayEquals(new int[] {1, 4, 2, 5}, tokenizer.encode("a<x>b<x>y", false).ids);
        Encoding encoding = tokenizer.encode("a <l>\n b", false);
        assertArrayEquals(new int[] {1, 6, 2}, encoding.ids);
        assertArrayEquals(new int[] {0, 1, 7}, encoding.starts);
        assertArrayEquals(new int[] {1, 7, 8}, encoding.ends);
        assertArrayEquals(new int[] {0, 7, 1}, tokenizer.encode("aDay Day a", false).ids);
        assertEquals("a b", tokenizer.decode(new int[] {1, 4, 2}, true));
        assertEquals("a <x> b", tokenizer.decode(new int[] {1, 4, 2, 99}, false));
    }

    @Test
    public void normalizedTokensAreFoundNormalized() {
        Tokenizer tokenizer = Made.of(WORDS, SPACES, "'normalizer': {'type': 'Lowercase'}",
                "'added_tokens': [" + added(4, "Day", "normalized") + ", " + added(5, "Raw") + "]");
        assertArrayEquals(new int[] {1, 4, 2, 0, 5}, tokenizer.encode("A DAY B raw Raw", false).ids);
        assertEquals("day", tokenizer.idToToken(4));
        assertEquals(4, tokenizer.tokenToId("Day"));
        assertEquals(6, tokenizer.size());
        assertEquals(6, tokenizer.vocabularySize());
    }

    @Test
    public void twoTexts() {
        Tokenizer tokenizer = Made.of(WORDS, SPACES, "'post_processor': {'type': 'TemplateProcessing', 'single':"
                + " [{'SpecialToken': {'id': 'C', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}}], 'pair':"
                + " [{'SpecialToken': {'id': 'C', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},"
                + " {'SpecialToken': {'id': 'S', 'type_id': 1}}, {'Sequence': {'id': 'B', 'type_id': 1}}], 'special_tokens':"
                + " {'C': {'id': 'C', 'ids': [50], 'tokens': ['C']}, 'S': {'id': 'S', 'ids': [51, 52], 'tokens': ['S', 'T']}}}");
        Encoding encoding = tokenizer.encode("a b", "ab", true);
        assertArrayEquals(new int[] {50, 1, 2, 51, 52, 3}, encoding.ids);
        assertArrayEquals(new int[] {0, 0, 0, 1, 1, 1}, encoding.typeIds);
        assertArrayEquals(new int[] {-1, 0, 1, -1, -1, 0}, encoding.words);
        assertArrayEquals(new int[] {-1, 0, 0, -1, -1, 1}, encoding.sequences);
        assertArrayEquals(new int[] {0, 0, 2, 0, 0, 0}, encoding.starts);
        assertArrayEquals(new int[] {1, 3}, tokenizer.encode("a", "ab", false).ids);
        assertEquals(1, tokenizer.specialTokens(false));
        assertEquals(3, tokenizer.specialTokens(true));
    }

    @Test
    public void spacesAreTrimmedOffPlaces() {
        String bytes = "{'type': 'BPE', 'vocab': {'a': 0, '\u0120': 1, '\u0120a': 2, 'b': 3}, 'merges': [['\u0120', 'a']]}";
        Encoding encoding = Made.of(bytes,
                "'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true}",
                "'post_processor': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true}").encode("a a", true);
        assertArrayEquals(new int[] {2, 2}, encoding.ids);
        assertArrayEquals(new int[] {0, 2}, encoding.starts);
        assertArrayEquals(new int[] {1, 3}, encoding.ends);
    }

    @Test
    public void aTwinKnowsOtherTokens() {
        Tokenizer tokenizer = Made.of(WORDS, SPACES, "'added_tokens': [" + added(4, "<x>", "special") + "]");
        List<AddedToken> renamed = new ArrayList<AddedToken>();
        for (AddedToken token : tokenizer.addedTokens()) {
            renamed.add(new AddedToken(token.id, "<|secret|>", false, token.lstrip, token.rstrip, false, false));
        }
        Tokenizer twin = tokenizer.withAddedTokens(renamed);
        assertArrayEquals(new int[] {0, 4, 1}, twin.encode("<x><|secret|>a", false).ids);
        assertArrayEquals(new int[] {4, 0}, tokenizer.encode("<x><|secret|>a", false).ids);
    }

    @Test
    public void decoders() {
        Tokenizer bytes = Made.of(Made.BYTES, "'decoder': {'type': 'Sequence', 'decoders': [{'type': 'ByteFallback'},"
                + " {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]}");
        assertEquals("\u00e9 ", bytes.decode(new int[] {' ', 0xc3, 0xa9, ' '}, true));
        assertEquals("\ufffd\ufffd", bytes.decode(new int[] {0xc3, 'a'}, true));
        String letters = "{'type': 'WordLevel', 'unk_token': '?', 'vocab': "
                + "{'?': 0, '\u0120a': 1, '\u00e2\u0124': 2, '\u00ac': 3}}";
        Tokenizer level = Made.of(letters,
                "'decoder': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true}");
        assertEquals(" a\ufffd", level.decode(new int[] {1, 2}, true));
        assertEquals(" a\u20ac", level.decode(new int[] {1, 2, 3}, true));
        String pieces = "{'type': 'WordLevel', 'unk_token': '?', 'vocab': {'?': 0, 'un': 1, '##able': 2, '.': 3, '\u2581a': 4}}";
        Tokenizer wordPiece = Made.of(pieces, "'decoder': {'type': 'WordPiece', 'prefix': '##', 'cleanup': true}");
        assertEquals("un unable.", wordPiece.decode(new int[] {1, 1, 2, 3}, true));
        Tokenizer spaces = Made.of(pieces, "'decoder': {'type': 'Metaspace', 'replacement': '\u2581'}");
        assertEquals("a a", spaces.decode(new int[] {4, 4}, true));
        assertEquals("a", spaces.decode(new int[] {4, 4, 4}, 1, 2, true));
        assertEquals("", spaces.decode(new int[] {}, true));
    }
}
