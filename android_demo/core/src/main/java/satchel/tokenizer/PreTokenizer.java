package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** One way of cutting a text into words, which the model then cuts into tokens. */
abstract class PreTokenizer {
    private static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    /** Cuts one part that is no token yet. */
    abstract void cut(AlignedText text, List<Part> parts);

    /** Cuts every part that is no token yet. */
    List<Part> apply(List<Part> parts) {
        List<Part> cut = new ArrayList<Part>(Math.max(16, parts.size()));
        for (Part part : parts) {
            if (part.id >= 0) {
                cut.add(part);
            } else {
                cut(part.text, cut);
            }
        }
        return cut;
    }

    /** The pre-tokenizer of tokenizer.json, null where there is none. Unknown ones are refused. */
    static PreTokenizer read(Object value) {
        if (value == null) {
            return null;
        }
        Fields fields = Fields.of(value, "the pre_tokenizer");
        String type = fields.text("type");
        fields = fields.named(type);
        if (type.equals("Sequence")) {
            List<PreTokenizer> steps = new ArrayList<PreTokenizer>();
            for (Object step : fields.list("pretokenizers")) {
                PreTokenizer read = read(step);
                if (read == null) {
                    throw Invalid.file("a step of the pre_tokenizer is nothing");
                }
                steps.add(read);
            }
            return new Sequence(steps);
        }
        if (type.equals("ByteLevel")) {
            fields.flag("trim_offsets");
            return new ByteLevel(fields.flag("add_prefix_space"), fields.flag("use_regex", true));
        }
        if (type.equals("Metaspace")) {
            return new Metaspace(new MetaspaceSettings(fields));
        }
        if (type.equals("Split")) {
            return new Split(
                    TextNormalizer.pattern(fields), Splitting.read(fields), fields.flag("invert"));
        }
        if (type.equals("Digits")) {
            boolean single = fields.flag("individual_digits");
            return new Split(Pattern.DIGITS, single ? Splitting.ISOLATED : Splitting.CONTIGUOUS, false);
        }
        if (type.equals("Whitespace")) {
            return new Split(Pattern.WORDS, Splitting.REMOVED, true);
        }
        if (type.equals("WhitespaceSplit")) {
            return new Split(Pattern.SPACES, Splitting.REMOVED, false);
        }
        if (type.equals("Punctuation")) {
            int behavior = fields.has("behavior") ? Splitting.read(fields) : Splitting.ISOLATED;
            return new Split(Pattern.PUNCTUATION, behavior, false);
        }
        if (type.equals("CharDelimiterSplit")) {
            return new Split(new Pattern.One(fields.character("delimiter")), Splitting.REMOVED, false);
        }
        if (type.equals("BertPreTokenizer")) {
            List<PreTokenizer> steps = new ArrayList<PreTokenizer>();
            steps.add(new Split(Pattern.SPACES, Splitting.REMOVED, false));
            steps.add(new Split(Pattern.PUNCTUATION, Splitting.ISOLATED, false));
            return new Sequence(steps);
        }
        throw Invalid.unknown("pre_tokenizer", type);
    }

    static final class Sequence extends PreTokenizer {
        private final List<PreTokenizer> steps;

        Sequence(List<PreTokenizer> steps) {
            this.steps = steps;
        }

        @Override
        List<Part> apply(List<Part> parts) {
            List<Part> cut = parts;
            for (PreTokenizer step : steps) {
                cut = step.apply(cut);
            }
            return cut;
        }

        @Override
        void cut(AlignedText text, List<Part> parts) {
            throw new IllegalStateException();
        }
    }

    static final class Split extends PreTokenizer {
        private final Pattern pattern;
        private final int behavior;
        private final boolean invert;

        Split(Pattern pattern, int behavior, boolean invert) {
            this.pattern = pattern;
            this.behavior = behavior;
            this.invert = invert;
        }

        @Override
        void cut(AlignedText text, List<Part> parts) {
            Splitting.split(text, pattern, behavior, invert, parts);
        }
    }

    /** GPT-2's words, spelled by the letters of their bytes. */
    static final class ByteLevel extends PreTokenizer {
        private static final Pattern WORDS = Regex.of(GPT2);

        private final boolean spaced;
        private final boolean cuts;

        ByteLevel(boolean spaced, boolean cuts) {
            this.spaced = spaced;
            this.cuts = cuts;
        }

        @Override
        void cut(AlignedText text, List<Part> parts) {
            if (spaced && !text.startsWith(' ')) {
                text.prepend(new int[] {' '});
            }
            int first = parts.size();
            if (cuts) {
                Splitting.split(text, WORDS, Splitting.ISOLATED, false, parts);
            } else {
                Part.add(parts, text);
            }
            for (int i = first; i < parts.size(); ++i) {
                ByteLetters.spell(parts.get(i).text);
            }
        }
    }

    /** Spaces as a letter of their own, which begins the words. */
    static final class Metaspace extends PreTokenizer {
        private final MetaspaceSettings settings;
        private final Pattern spaces = new Pattern.One(' ');
        private final Pattern marks;

        Metaspace(MetaspaceSettings settings) {
            this.settings = settings;
            this.marks = new Pattern.One(settings.letter);
        }

        @Override
        void cut(AlignedText text, List<Part> parts) {
            int[] letter = {settings.letter};
            text.replace(spaces.find(text.chars, text.length), letter);
            boolean due = settings.scheme == MetaspaceSettings.ALWAYS
                    || (settings.scheme == MetaspaceSettings.FIRST && text.from == 0);
            if (due && !text.startsWith(settings.letter)) {
                text.prepend(letter);
            }
            if (settings.splits) {
                Splitting.split(text, marks, Splitting.MERGED_WITH_NEXT, false, parts);
            } else {
                Part.add(parts, text);
            }
        }
    }
}
