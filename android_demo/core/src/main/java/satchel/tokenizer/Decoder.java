package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** What makes a text of tokens, in steps: tokens to tokens, of which the last ones are joined. */
abstract class Decoder {
    abstract List<String> apply(List<String> tokens);

    /** The decoder of tokenizer.json, null where there is none. Unknown ones are refused. */
    static Decoder read(Object value) {
        if (value == null) {
            return null;
        }
        Fields fields = Fields.of(value, "the decoder");
        String type = fields.text("type");
        fields = fields.named(type);
        if (type.equals("Sequence")) {
            List<Decoder> steps = new ArrayList<Decoder>();
            for (Object step : fields.list("decoders")) {
                Decoder read = read(step);
                if (read == null) {
                    throw Invalid.file("a step of the decoder is nothing");
                }
                steps.add(read);
            }
            return new Sequence(steps);
        }
        if (type.equals("ByteLevel")) {
            return new ByteLevel();
        }
        if (type.equals("ByteFallback")) {
            return new ByteFallback();
        }
        if (type.equals("Fuse")) {
            return new Fuse();
        }
        if (type.equals("WordPiece")) {
            return new WordDecoders.WordPiece(fields.text("prefix"), fields.flag("cleanup"));
        }
        if (type.equals("BPEDecoder")) {
            return new WordDecoders.Suffix(fields.text("suffix"));
        }
        if (type.equals("Metaspace")) {
            return new WordDecoders.Metaspace(new MetaspaceSettings(fields));
        }
        if (type.equals("Strip")) {
            return new WordDecoders.Strip(fields.character("content"), fields.number("start"), fields.number("stop"));
        }
        if (type.equals("Replace")) {
            return new WordDecoders.Replace(TextNormalizer.pattern(fields), fields.text("content"));
        }
        throw Invalid.unknown("decoder", type);
    }

    static final class Sequence extends Decoder {
        private final List<Decoder> steps;

        Sequence(List<Decoder> steps) {
            this.steps = steps;
        }

        @Override
        List<String> apply(List<String> tokens) {
            List<String> decoded = tokens;
            for (Decoder step : steps) {
                decoded = step.apply(decoded);
            }
            return decoded;
        }
    }

    /** Letters that stand for bytes; a token with any other is taken as it is written. */
    static final class ByteLevel extends Decoder {
        @Override
        List<String> apply(List<String> tokens) {
            Utf8.Bytes out = new Utf8.Bytes();
            for (String token : tokens) {
                int start = out.size;
                boolean known = true;
                for (int i = 0; i < token.length() && known; ++i) {
                    int b = ByteLetters.byteOf(token.charAt(i));
                    known = b >= 0;
                    out.add(b);
                }
                if (!known) {
                    out.size = start;
                    for (byte b : Utf8.encode(token)) {
                        out.add(b);
                    }
                }
            }
            List<String> decoded = new ArrayList<String>(1);
            decoded.add(Utf8.decode(out.bytes, out.size));
            return decoded;
        }
    }

    /** Runs of tokens like `<0x0A>` become the characters of their bytes, or a U+FFFD each. */
    static final class ByteFallback extends Decoder {
        @Override
        List<String> apply(List<String> tokens) {
            List<String> decoded = new ArrayList<String>(tokens.size());
            Utf8.Bytes run = new Utf8.Bytes();
            for (String token : tokens) {
                int b = byteOf(token);
                if (b >= 0) {
                    run.add(b);
                } else {
                    flush(run, decoded);
                    decoded.add(token);
                }
            }
            flush(run, decoded);
            return decoded;
        }

        private static int byteOf(String token) {
            if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
                return -1;
            }
            int high = token.charAt(3) == '+' ? 0 : digit(token.charAt(3)); // a sign is let pass
            int low = digit(token.charAt(4));
            return high < 0 || low < 0 ? -1 : high << 4 | low;
        }

        private static int digit(char c) {
            return c < 128 ? Character.digit(c, 16) : -1;
        }

        private static void flush(Utf8.Bytes run, List<String> decoded) {
            if (run.size == 0) {
                return;
            }
            String text = Utf8.strict(run.bytes, run.size);
            if (text != null) {
                decoded.add(text);
            } else {
                for (int i = 0; i < run.size; ++i) {
                    decoded.add("\uFFFD");
                }
            }
            run.size = 0;
        }
    }

    static final class Fuse extends Decoder {
        @Override
        List<String> apply(List<String> tokens) {
            StringBuilder all = new StringBuilder();
            for (String token : tokens) {
                all.append(token);
            }
            List<String> decoded = new ArrayList<String>(1);
            decoded.add(all.toString());
            return decoded;
        }
    }
}
