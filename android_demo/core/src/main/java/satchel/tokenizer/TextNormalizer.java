package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** One way of changing a text before it is cut. */
abstract class TextNormalizer {
    abstract void apply(AlignedText text);

    /** The normalizer of tokenizer.json, null where there is none. Unknown ones are refused. */
    static TextNormalizer read(Object value) {
        if (value == null) {
            return null;
        }
        Fields fields = Fields.of(value, "the normalizer");
        String type = fields.text("type");
        fields = fields.named(type);
        if (type.equals("Sequence")) {
            List<TextNormalizer> steps = new ArrayList<TextNormalizer>();
            for (Object step : fields.list("normalizers")) {
                TextNormalizer read = read(step);
                if (read == null) {
                    throw Invalid.file("a step of the normalizer is nothing");
                }
                steps.add(read);
            }
            return new Sequence(steps);
        }
        if (type.equals("BertNormalizer")) {
            return new BertNormalizer(fields);
        }
        if (type.equals("Precompiled")) {
            return new Precompiled(fields.text("precompiled_charsmap"));
        }
        if (type.equals("Replace")) {
            return new Replace(pattern(fields), fields.text("content"));
        }
        if (type.equals("Prepend")) {
            return new Prepend(fields.text("prepend"));
        }
        if (type.equals("Strip")) {
            return new Strip(fields.flag("strip_left"), fields.flag("strip_right"));
        }
        TextNormalizer form = UnicodeForm.of(type);
        TextNormalizer simple = form != null ? form : SimpleNormalizers.of(type);
        if (simple == null) {
            throw Invalid.unknown("normalizer", type);
        }
        return simple;
    }

    /** The pattern of a step: a text as it stands, or a regular expression. */
    static Pattern pattern(Fields fields) {
        Fields pattern = fields.object("pattern");
        if (pattern.has("String") && pattern.all().size() == 1) {
            return Regex.literal(pattern.text("String"));
        }
        if (pattern.has("Regex") && pattern.all().size() == 1) {
            return Regex.of(pattern.text("Regex"));
        }
        throw fields.wrong("pattern", "a String or a Regex");
    }

    static final class Sequence extends TextNormalizer {
        private final List<TextNormalizer> steps;

        Sequence(List<TextNormalizer> steps) {
            this.steps = steps;
        }

        @Override
        void apply(AlignedText text) {
            for (TextNormalizer step : steps) {
                step.apply(text);
            }
        }
    }

    static final class Replace extends TextNormalizer {
        private final Pattern pattern;
        private final int[] content;

        Replace(Pattern pattern, String content) {
            this.pattern = pattern;
            this.content = AlignedText.codePoints(content);
        }

        @Override
        void apply(AlignedText text) {
            text.replace(pattern.find(text.chars, text.length), content);
        }
    }

    static final class Prepend extends TextNormalizer {
        private final int[] content;

        Prepend(String content) {
            this.content = AlignedText.codePoints(content);
        }

        @Override
        void apply(AlignedText text) {
            text.prepend(content);
        }
    }

    /** Takes white space off the ends. */
    static final class Strip extends TextNormalizer {
        private final boolean left;
        private final boolean right;

        Strip(boolean left, boolean right) {
            this.left = left;
            this.right = right;
        }

        @Override
        void apply(AlignedText text) {
            int n = text.length;
            int leading = 0;
            while (left && leading < n && Letters.isSpace(text.chars[leading])) {
                ++leading;
            }
            int trailing = 0;
            while (right && trailing < n && Letters.isSpace(text.chars[n - 1 - trailing])) {
                ++trailing;
            }
            if (leading == 0 && trailing == 0) {
                return;
            }
            Change change = new Change(n);
            for (int i = leading; i < n - trailing; ++i) {
                change.add(text.chars[i], i == n - trailing - 1 ? -trailing : 0);
            }
            text.transform(change, leading);
        }
    }
}
