package satchel.tokenizer;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class PreTokenizersTest {
    private static String cut(String text, String preTokenizer) {
        return Made.spelled(text, "'pre_tokenizer': " + preTokenizer);
    }

    private static String split(String text, String regex, String behavior, boolean invert) {
        return cut(text, "{'type': 'Split', 'pattern': {'Regex': '" + regex.replace("\\", "\\\\")
                + "'}, 'behavior': '" + behavior + "', 'invert': " + invert + "}");
    }

    @Test
    public void behaviors() {
        assertEquals("the|final|countdown", split("the-final--countdown", "-", "Removed", false));
        assertEquals("the|-|final|-|-|countdown", split("the-final--countdown", "-", "Isolated", false));
        assertEquals("the-|final-|-|countdown", split("the-final--countdown", "-", "MergedWithPrevious", false));
        assertEquals("the|-final|-|-countdown", split("the-final--countdown", "-", "MergedWithNext", false));
        assertEquals("the|-|final|--|countdown", split("the-final--countdown", "-", "Contiguous", false));
        assertEquals("-|-|-", split("the-final--countdown", "-", "Removed", true));
    }

    @Test
    public void wordsOfGpt2() {
        assertEquals("I|'ve|\u0120seen|\u0120\u0120\u0120|\u0120it|\u010a|!!|12", cut("I've seen    it\n!!12",
                "{'type': 'ByteLevel', 'add_prefix_space': false, 'trim_offsets': true, 'use_regex': true}"));
        assertEquals("\u0120a|\u0120b", cut("a b",
                "{'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true}"));
    }

    @Test
    public void wordsOfLlama3() {
        String llama = "(?i:.s|.t|.re|.ve|.m|.ll|.d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
        assertEquals("(it|'S|  \n|123|45|,|\tx|  | y", split("(it'S  \n12345,\tx   y", llama.replace(".", "\\u0027"),
                "Isolated", false).replace("\\u0027", "'"));
    }

    @Test
    public void spacesAsLetters() {
        assertEquals("\u2581a|\u2581b|\u2581|\u2581c", cut("a b  c", "{'type': 'Metaspace', 'replacement': '\u2581'}"));
        assertEquals("a\u2581b", cut("a b",
                "{'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'never', 'split': false}"));
    }

    @Test
    public void othersThatCut() {
        assertEquals("a_1|!?|\u00e9", cut("a_1!? \u00e9", "{'type': 'Whitespace'}"));
        assertEquals("a|1|2|b", cut("a12b", "{'type': 'Digits', 'individual_digits': true}"));
        assertEquals("a|12|b", cut("a12b", "{'type': 'Digits', 'individual_digits': false}"));
        assertEquals("a|,|b|$", cut("a, b$", "{'type': 'BertPreTokenizer'}"));
        assertEquals("a|b", cut("a-b", "{'type': 'CharDelimiterSplit', 'delimiter': '-'}"));
    }

    @Test
    public void regularExpressions() {
        assertEquals("ab|c|ab", split("abcab", "(?:ab)+", "Isolated", false));
        assertEquals("x|aab", split("xaab", "(?>a+)b", "Isolated", false));
        assertEquals("A|bc", split("Abc", "(?<=[A-Z])bc", "Isolated", false));
        assertEquals("a|\u017f", split("a\u017f", "(?i:s)", "Isolated", false));
        assertEquals("a|B|c", split("aBc", "[\\p{L}&&[^a-z]]", "Isolated", false));
        assertEquals("x", split("x", "\\z", "Isolated", false));
    }

    @Test
    public void whatIsNotUnderstoodIsRefused() {
        String[] unknown = {"(", "a)", "[a", "(a)\\1", "\\p{Script=Foo}", "a{2}?", "(?<n>a)", "(?<=a+)b", "[[:alpha:]]", "\\X",
            "(a*)*", "+", "(?i:\u00e9)", "(?i:ss)", "\\h"};
        for (String regex : unknown) {
            Made.refused("the regular expression", Made.BYTES, "'pre_tokenizer': {'type': 'Split', 'pattern': {'Regex': '"
                    + regex.replace("\\", "\\\\") + "'}, 'behavior': 'Isolated', 'invert': false}");
        }
        Made.refused("'UnicodeScripts' is not known", Made.BYTES, "'pre_tokenizer': {'type': 'UnicodeScripts'}");
        Made.refused("'CTC' is not known", Made.BYTES, "'decoder': {'type': 'CTC'}");
        Made.refused("'Fake' is not known", Made.BYTES, "'normalizer': {'type': 'Fake'}");
        Made.refused("'extra' is not known", Made.BYTES, "'extra': 1");
    }
}
