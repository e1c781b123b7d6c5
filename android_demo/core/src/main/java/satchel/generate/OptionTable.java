package satchel.generate;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The options of a generation, each declared once: its rule, what it does, and which methods take it.
 *
 * <p>Names and meanings are those of transformers, but for n_best (num_return_sequences) and logit_bias
 * (sequence_bias for single ids).
 */
final class OptionTable {
    private static final String[] EVERY = {"generate", "stream", "chat", "translate", "transcribe"};
    private static final String[] WRITING = {"generate", "stream", "chat", "translate"}; // texts, not what is heard
    private static final String[] SEARCHING = {"generate", "translate", "transcribe"}; // whole texts
    private static final String[] GENERATE = {"generate"};
    private static final Integer OFF = null;

    /** By name, in the order of their declarations. */
    static final Map<String, About> ABOUT;

    static final List<String> SAMPLING;
    static final List<String> BEAMS;

    static {
        Map<String, About> table = new LinkedHashMap<String, About>();
        sampling(
                table,
                "temperature",
                Rule.number(0, 1e4, "a number from 0 to 10000"),
                OFF,
                0.0,
                "0 is greedy; above 1 is wilder");
        sampling(table, "top_k", Rule.COUNT, OFF, null, "choose among the K likeliest tokens");
        sampling(
                table,
                "top_p",
                Rule.SHARE,
                1,
                null,
                "choose among the likeliest that make up this share of probability");
        sampling(
                table,
                "min_p",
                Rule.number(0, 1, "from 0 to 1"),
                0,
                null,
                "leave out tokens less likely than this part of the likeliest");
        sampling(
                table, "top_h", Rule.SHARE, OFF, null, "choose among the likeliest that keep this part of the entropy");
        sampling(
                table,
                "typical_p",
                Rule.SHARE,
                1,
                null,
                "choose among the tokens of usual surprise that make up this share");
        sampling(table, "epsilon_cutoff", Rule.CUTOFF, 0, null, "leave out tokens less likely than this");
        sampling(
                table,
                "eta_cutoff",
                Rule.CUTOFF,
                0,
                null,
                "leave out tokens less likely than this, or less where many are likely");
        sampling(
                table, "seed", Rule.SIZE, OFF, null, "of the random choice: the same text for the same seed");
        beams(table, "num_beams", Rule.COUNT, 1, "search with N beams; 1 is none");
        put(table, "n_best", Rule.COUNT, GENERATE, null, OFF, About.Part.EITHER, "the N best texts of a search");
        beams(
                table,
                "length_penalty",
                Rule.number(-100, 100, "a number from -100 to 100"),
                1.0,
                "above 0 favours long texts in a search");
        beams(
                table,
                "early_stopping",
                Rule.EARLY,
                Boolean.FALSE,
                "end a search when N texts are found (true), when better ones are unlikely (false), or"
                        + " impossible (never)");
        either(table, "logit_bias", Rule.BIAS, EVERY, OFF, "what to add to the scores of ids, by id");
        either(
                table,
                "sequence_bias",
                Rule.SEQUENCE_BIAS,
                EVERY,
                OFF,
                "what to add to the score of the last of some ids, where the others are before");
        either(
                table,
                "repetition_penalty",
                Rule.PENALTY,
                EVERY,
                1,
                "above 1 avoids tokens that were there already");
        either(
                table,
                "encoder_repetition_penalty",
                Rule.PENALTY,
                WRITING,
                1,
                "above 1 favours tokens of the prompt or source");
        either(table, "no_repeat_ngram_size", Rule.SIZE, EVERY, 0, "no N tokens in a row occur twice");
        either(
                table,
                "encoder_no_repeat_ngram_size",
                Rule.SIZE,
                WRITING,
                0,
                "no N tokens in a row occur that the prompt or source has");
        either(table, "bad_words_ids", Rule.WORDS, EVERY, OFF, "rows of ids that never occur");
        either(
                table,
                "max_length",
                Rule.COUNT,
                WRITING,
                OFF,
                "end after N tokens, those that the decoder begins with among them");
        either(
                table,
                "min_length",
                Rule.SIZE,
                EVERY,
                0,
                "do not end before N tokens, those that the decoder begins with among them");
        either(table, "min_new_tokens", Rule.SIZE, EVERY, 0, "do not end before N new tokens");
        either(table, "forced_bos_token_id", Rule.FORCED, EVERY, OFF, "the first id of a target");
        either(
                table,
                "forced_eos_token_id",
                Rule.FORCED,
                EVERY,
                OFF,
                "the last id of a text that reaches its bound");
        either(
                table,
                "exponential_decay_length_penalty",
                Rule.DECAY,
                EVERY,
                OFF,
                "after how many new ids a text is driven to its end, and by which factor for each more");
        either(table, "suppress_tokens", Rule.IDS, EVERY, OFF, "ids that never occur");
        either(table, "begin_suppress_tokens", Rule.IDS, EVERY, OFF, "ids that a text does not begin with");
        either(
                table,
                "renormalize_logits",
                Rule.SWITCH,
                EVERY,
                OFF,
                "make the scores log-probabilities again after all changes");
        either(
                table,
                "lookup",
                Rule.SWITCH,
                EVERY,
                OFF,
                "read ahead what repeats the prompt or the text: the same text, in fewer steps; default: where"
                        + " that is exact");
        ABOUT = Collections.unmodifiableMap(table);
        SAMPLING = of(About.Part.SAMPLING);
        BEAMS = of(About.Part.BEAMS);
    }

    private OptionTable() {}

    private static void sampling(
            Map<String, About> table, String name, Rule rule, Integer neutral, Object unasked, String help) {
        put(table, name, rule, EVERY, unasked, neutral, About.Part.SAMPLING, help);
    }

    private static void beams(Map<String, About> table, String name, Rule rule, Object unasked, String help) {
        put(table, name, rule, SEARCHING, unasked, OFF, About.Part.BEAMS, help);
    }

    private static void either(
            Map<String, About> table, String name, Rule rule, String[] methods, Integer neutral, String help) {
        put(table, name, rule, methods, null, neutral, About.Part.EITHER, help);
    }

    private static void put(
            Map<String, About> table,
            String name,
            Rule rule,
            String[] methods,
            Object unasked,
            Integer neutral,
            About.Part part,
            String help) {
        table.put(name, new About(name, rule, help, methods, unasked, neutral, part));
    }

    private static List<String> of(About.Part part) {
        List<String> names = new ArrayList<String>();
        for (About about : ABOUT.values()) {
            if (about.part == part) {
                names.add(about.name);
            }
        }
        return Collections.unmodifiableList(names);
    }
}
