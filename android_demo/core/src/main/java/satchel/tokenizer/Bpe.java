package satchel.tokenizer;

import java.util.concurrent.ConcurrentHashMap;

/** Byte-pair encoding (Sennrich et al. 2016): characters, of which the pair with the first rank merges again and again. */
final class Bpe extends Model {
    private static final int CACHE = 8192;
    private static final int LONGEST_CACHED = 64;
    private static final int DIRECT = 0x180;

    private final Merges merges;
    private final String unknown;
    private final int unknownId;
    private final String prefix;
    private final String suffix;
    private final boolean fuses;
    private final boolean fallsBack;
    private final boolean whole;
    private final int[] bytes = new int[256];
    private final int[] direct = new int[DIRECT];

    /** Words that have been cut before: ids, starts and ends of their tokens. */
    private final ConcurrentHashMap<String, int[]> cache = new ConcurrentHashMap<String, int[]>();

    private Bpe(Vocabulary vocabulary, Merges merges, Fields fields) {
        super(vocabulary);
        this.merges = merges;
        unknown = fields.text("unk_token", null);
        unknownId = unknown == null ? -1 : vocabulary.find(unknown);
        prefix = fields.text("continuing_subword_prefix", "");
        suffix = fields.text("end_of_word_suffix", "");
        fuses = fields.flag("fuse_unk", false);
        fallsBack = fields.flag("byte_fallback", false);
        whole = fields.flag("ignore_merges", false);
        char[] letter = new char[1];
        for (int c = 0; c < DIRECT; ++c) {
            letter[0] = (char) c;
            direct[c] = vocabulary.find(letter, 0, 1);
        }
        for (int b = 0; b < 256; ++b) {
            bytes[b] = vocabulary.find(byteToken(b));
        }
    }

    /** How a byte is written where a vocabulary has no character for it. */
    static String byteToken(int b) {
        return "<0x" + Character.toUpperCase(Character.forDigit(b >> 4, 16))
                + Character.toUpperCase(Character.forDigit(b & 15, 16)) + ">";
    }

    static Bpe read(Fields fields) {
        Object dropout = fields.get("dropout");
        if (dropout != null && (!(dropout instanceof Number) || ((Number) dropout).doubleValue() != 0)) {
            throw Invalid.file("BPE's dropout cuts words by chance, which is not supported");
        }
        Vocabulary vocabulary = Vocabulary.of(fields, "vocab");
        int skip = fields.text("continuing_subword_prefix", "").length();
        JsonSpan span = fields.span("merges", '[');
        Merges merges = new Merges(span.count());
        int rank = 0;
        for (boolean more = span.opens('[', ']'); more; more = span.goesOn(']')) {
            String[] pair = pair(span);
            if (pair == null) {
                continue;
            }
            String left = pair[0];
            String right = pair[1];
            int token = right.length() < skip ? -1 : vocabulary.find(left + right.substring(skip));
            int first = vocabulary.find(left);
            int second = vocabulary.find(right);
            if (first < 0 || second < 0 || token < 0) {
                String missing = first < 0 ? left : second < 0 ? right : left + right;
                throw Invalid.file("a merge's token " + satchel.SatchelException.shown(missing)
                        + " is out of vocabulary");
            }
            merges.put(first, second, rank++, token);
        }
        return new Bpe(vocabulary, merges, fields);
    }

    /** The two tokens of a merge, in one text or in two; null for a line that tells a version. */
    private static String[] pair(JsonSpan span) {
        String[] pair = new String[2];
        if (span.next() == '"') {
            String text = span.string();
            if (text.startsWith("#version")) {
                return null;
            }
            int space = text.indexOf(' ');
            if (space >= 0 && text.indexOf(' ', space + 1) < 0) {
                pair[0] = text.substring(0, space);
                pair[1] = text.substring(space + 1);
                return pair;
            }
        } else if (span.next() == '[') {
            int size = 0;
            for (boolean more = span.opens('[', ']'); more; more = span.goesOn(']')) {
                String token = span.string();
                if (size < 2) {
                    pair[size] = token;
                }
                ++size;
            }
            if (size == 2) {
                return pair;
            }
        }
        throw Invalid.file("a merge of BPE is not two tokens");
    }

    @Override
    void tokenize(AlignedText word, Tokens tokens) {
        String text = word.toString();
        if (whole) {
            int id = vocabulary.find(text);
            if (id >= 0) {
                tokens.add(id, 0, word.length);
                return;
            }
        }
        int[] known = text.length() <= LONGEST_CACHED ? cache.get(text) : null;
        if (known != null) {
            for (int i = 0; i < known.length; i += 3) {
                tokens.add(known[i], known[i + 1], known[i + 2]);
            }
            return;
        }
        int first = tokens.size;
        BpeWord pieces = new BpeWord(word.length + 4);
        spell(word, pieces);
        pieces.merge(merges);
        place(word, pieces, tokens);
        if (text.length() <= LONGEST_CACHED) {
            int[] cut = new int[3 * (tokens.size - first)];
            for (int i = first, to = 0; i < tokens.size; ++i) {
                cut[to++] = tokens.ids[i];
                cut[to++] = tokens.starts[i];
                cut[to++] = tokens.ends[i];
            }
            if (cache.size() >= CACHE) {
                cache.clear();
            }
            cache.put(text, cut);
        }
    }

    /** A token for each character, or for each of its bytes, or the unknown one. */
    private void spell(AlignedText word, BpeWord pieces) {
        int pending = 0; // bytes that the next unknown token stands for
        int n = word.length;
        for (int i = 0; i < n; ++i) {
            int c = word.chars[i];
            boolean marked = (i > 0 && !prefix.isEmpty()) || (i == n - 1 && !suffix.isEmpty());
            String spelled = null;
            int id;
            if (c < DIRECT && !marked) {
                id = direct[c];
            } else {
                StringBuilder letters = new StringBuilder();
                letters.append(i > 0 ? prefix : "").appendCodePoint(c).append(i == n - 1 ? suffix : "");
                spelled = letters.toString();
                id = vocabulary.find(spelled);
            }
            int size = AlignedText.bytes(c);
            if (id >= 0) {
                if (pending > 0) {
                    pieces.add(unknownId, pending);
                    pending = 0;
                }
                pieces.add(id, size);
            } else if (!fallsBack || !addBytes(spelled == null ? String.valueOf((char) c) : spelled, pieces)) {
                if (unknown == null) {
                    continue;
                }
                if (unknownId < 0) {
                    throw Invalid.text("it has characters that are not in the vocabulary, and neither is " + unknown);
                }
                if (pending > 0 && !fuses) {
                    pieces.add(unknownId, pending);
                    pending = 0;
                }
                pending += size;
            }
        }
        if (pending > 0) {
            pieces.add(unknownId, pending);
        }
    }

    private boolean addBytes(String text, BpeWord pieces) {
        byte[] utf8 = Utf8.encode(text);
        for (byte b : utf8) {
            if (bytes[b & 255] < 0) {
                return false;
            }
        }
        for (byte b : utf8) {
            pieces.add(bytes[b & 255], 1);
        }
        return true;
    }

    /** From lengths in bytes to places in characters. */
    private static void place(AlignedText word, BpeWord pieces, Tokens tokens) {
        int c = 0; // the character that begins at or holds the place
        int begins = 0; // its first byte
        int at = 0;
        for (int i = 0; i < pieces.size; ++i) {
            if (pieces.lengths[i] == 0) {
                continue;
            }
            while (c < word.length && begins + AlignedText.bytes(word.chars[c]) <= at) {
                begins += AlignedText.bytes(word.chars[c++]);
            }
            int start = c;
            at += pieces.lengths[i];
            while (c < word.length && begins + AlignedText.bytes(word.chars[c]) <= at) {
                begins += AlignedText.bytes(word.chars[c++]);
            }
            int end = Math.min(at > begins ? c + 1 : c, word.length);
            tokens.add(pieces.ids[i], start, end);
        }
    }
}
