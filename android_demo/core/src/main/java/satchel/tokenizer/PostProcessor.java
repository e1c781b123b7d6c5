package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** What goes around a text or two: special tokens, types, places without spaces. */
abstract class PostProcessor {
    /** Works on the texts' rows; gives the rows that make up the encoding. */
    abstract List<Row> process(List<Row> rows, boolean special);

    /** Whether it asks for the texts of tokens. */
    boolean readsTexts() {
        return false;
    }

    /** The post-processor of tokenizer.json, null where there is none. Unknown ones are refused. */
    static PostProcessor read(Object value) {
        if (value == null) {
            return null;
        }
        Fields fields = Fields.of(value, "the post_processor");
        String type = fields.text("type");
        fields = fields.named(type);
        if (type.equals("TemplateProcessing")) {
            return new Template(fields);
        }
        if (type.equals("BertProcessing")) {
            return new Bert(fields);
        }
        if (type.equals("RobertaProcessing")) {
            return new Roberta(fields);
        }
        if (type.equals("ByteLevel")) {
            fields.flag("use_regex", true);
            return new Trimmer(fields);
        }
        if (type.equals("Sequence")) {
            return new Sequence(fields.list("processors"));
        }
        throw Invalid.unknown("post_processor", type);
    }

    static final class Sequence extends PostProcessor {
        private final List<PostProcessor> steps = new ArrayList<PostProcessor>();

        Sequence(List<?> list) {
            for (Object step : list) {
                PostProcessor read = read(step);
                if (read == null) {
                    throw Invalid.file("a step of the post_processor is nothing");
                }
                steps.add(read);
            }
        }

        @Override
        boolean readsTexts() {
            for (PostProcessor step : steps) {
                if (step.readsTexts()) {
                    return true;
                }
            }
            return false;
        }

        @Override
        List<Row> process(List<Row> rows, boolean special) {
            List<Row> processed = rows;
            for (PostProcessor step : steps) {
                processed = step.process(processed, special);
            }
            return processed;
        }
    }

    /** A pair of a token and its id, as older processors have them. */
    private static final class Mark {
        final String text;
        final int id;

        Mark(Fields fields, String key) {
            List<?> pair = fields.list(key);
            if (pair.size() != 2 || !(pair.get(0) instanceof String)) {
                throw fields.wrong(key, "a token and its id");
            }
            text = (String) pair.get(0);
            id = fields.number(pair.get(1), key);
        }
    }

    /** First and last tokens as BERT has them, the types of the texts kept. */
    static final class Bert extends PostProcessor {
        private final Mark first;
        private final Mark last;

        Bert(Fields fields) {
            first = new Mark(fields, "cls");
            last = new Mark(fields, "sep");
        }

        @Override
        List<Row> process(List<Row> rows, boolean special) {
            if (!special) {
                return rows;
            }
            List<Row> out = new ArrayList<Row>();
            for (int i = 0; i < rows.size(); ++i) {
                out.add(around(rows.get(i), i == 0 ? first : null, last, i == 0 ? 0 : 1));
            }
            return out;
        }

        /** A text's row with tokens around it; the last one's type is the text's number. */
        static Row around(Row row, Mark before, Mark behind, int number) {
            Row out = new Row(row.texts != null);
            if (before != null) {
                out.addSpecial(before.id, 0, before.text);
            }
            int from = out.size;
            out.appendTokens(row);
            out.setSequence(number, from, out.size);
            out.addSpecial(behind.id, number, behind.text);
            return out;
        }
    }

    /** First and last tokens as RoBERTa has them, all of type 0. */
    static final class Roberta extends PostProcessor {
        private final Mark first;
        private final Mark last;
        private final boolean trims;
        private final boolean spaced;

        Roberta(Fields fields) {
            first = new Mark(fields, "cls");
            last = new Mark(fields, "sep");
            trims = fields.flag("trim_offsets");
            spaced = fields.flag("add_prefix_space");
        }

        @Override
        boolean readsTexts() {
            return trims;
        }

        @Override
        List<Row> process(List<Row> rows, boolean special) {
            for (Row row : rows) {
                if (trims) {
                    Trimmer.trim(row, spaced);
                }
                row.setType(0);
            }
            if (!special) {
                return rows;
            }
            List<Row> out = new ArrayList<Row>();
            for (int i = 0; i < rows.size(); ++i) {
                Row row = Bert.around(rows.get(i), i == 0 ? first : last, last, i == 0 ? 0 : 1);
                row.setType(0);
                out.add(row);
            }
            return out;
        }
    }

    /** Takes spaces off the places of byte-level tokens. */
    static final class Trimmer extends PostProcessor {
        private final boolean trims;
        private final boolean spaced;

        Trimmer(Fields fields) {
            trims = fields.flag("trim_offsets");
            spaced = fields.flag("add_prefix_space");
        }

        @Override
        boolean readsTexts() {
            return trims;
        }

        @Override
        List<Row> process(List<Row> rows, boolean special) {
            for (int i = 0; i < rows.size(); ++i) {
                if (trims) {
                    trim(rows.get(i), spaced);
                }
                rows.get(i).setSequence(i);
            }
            return rows;
        }

        static void trim(Row row, boolean spaced) {
            for (int i = 0; i < row.size; ++i) {
                int[] chars = AlignedText.codePoints(row.texts[i]);
                int leading = 0;
                while (leading < chars.length && isSpace(chars[leading])) {
                    ++leading;
                }
                int trailing = 0;
                while (trailing < chars.length && isSpace(chars[chars.length - 1 - trailing])) {
                    ++trailing;
                }
                if (leading > 0) {
                    boolean added = (i == 0 || row.starts[i] == 0) && spaced && leading == 1;
                    row.starts[i] = Math.min(row.starts[i] + (added ? 0 : leading), row.ends[i]);
                }
                if (trailing > 0 && row.ends[i] >= trailing) {
                    row.ends[i] = Math.max(row.ends[i] - trailing, row.starts[i]);
                }
            }
        }

        private static boolean isSpace(int c) {
            return c == ByteLetters.SPACE || Letters.isSpace(c);
        }
    }
}
