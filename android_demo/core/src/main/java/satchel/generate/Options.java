package satchel.generate;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import satchel.SatchelException;

/**
 * How texts are generated. Null means that an option is off; what each does is said by {@link #help}. Whole numbers
 * beyond an int are as good as the largest; {@link #value} has them as they were given.
 */
public final class Options {
    /** When a search ends. */
    public enum EarlyStopping {
        /** As soon as there are as many texts as beams. */
        FOUND,
        /** When better ones are unlikely. */
        UNLIKELY,
        /** When better ones are impossible. */
        IMPOSSIBLE
    }

    /** What is added to the score of the last of some ids where the others are before. */
    public static final class SequenceBias {
        public final List<BigInteger> ids;
        public final double value;

        SequenceBias(List<BigInteger> ids, double value) {
            this.ids = ids;
            this.value = value;
        }
    }

    public final double temperature;
    public final Integer topK;
    public final Double topP;
    public final Double minP;
    public final Double topH;
    public final Double typicalP;
    public final Double epsilonCutoff;
    public final Double etaCutoff;
    public final BigInteger seed;
    public final int numBeams;
    public final Integer nBest;
    public final double lengthPenalty;
    public final EarlyStopping earlyStopping;
    public final Map<BigInteger, Double> logitBias; // empty: off
    public final List<SequenceBias> sequenceBias; // empty: off
    public final Double repetitionPenalty;
    public final Double encoderRepetitionPenalty;
    public final Integer noRepeatNgramSize;
    public final Integer encoderNoRepeatNgramSize;
    public final List<List<BigInteger>> badWordsIds;
    public final Integer maxLength;
    public final Integer minLength;
    public final Integer minNewTokens;
    public final List<BigInteger> forcedBosTokenId;
    public final List<BigInteger> forcedEosTokenId;
    public final Integer decayStart; // of exponential_decay_length_penalty
    public final double decayFactor;
    public final List<BigInteger> suppressTokens;
    public final List<BigInteger> beginSuppressTokens;
    public final Boolean renormalizeLogits;
    public final Boolean lookup;

    private final Map<String, Object> values;

    private Options(Map<String, Object> values) {
        this.values = values;
        temperature = number("temperature");
        topK = count("top_k");
        topP = number("top_p");
        minP = number("min_p");
        topH = number("top_h");
        typicalP = number("typical_p");
        epsilonCutoff = number("epsilon_cutoff");
        etaCutoff = number("eta_cutoff");
        seed = Values.whole(value("seed"));
        numBeams = count("num_beams");
        nBest = count("n_best");
        lengthPenalty = number("length_penalty");
        Object early = value("early_stopping");
        earlyStopping =
                !(early instanceof Boolean)
                        ? EarlyStopping.IMPOSSIBLE
                        : (Boolean) early ? EarlyStopping.FOUND : EarlyStopping.UNLIKELY;
        logitBias = biases(value("logit_bias"));
        sequenceBias = sequenceBiases(value("sequence_bias"));
        repetitionPenalty = number("repetition_penalty");
        encoderRepetitionPenalty = number("encoder_repetition_penalty");
        noRepeatNgramSize = count("no_repeat_ngram_size");
        encoderNoRepeatNgramSize = count("encoder_no_repeat_ngram_size");
        badWordsIds = words(value("bad_words_ids"));
        maxLength = count("max_length");
        minLength = count("min_length");
        minNewTokens = count("min_new_tokens");
        forcedBosTokenId = forced(value("forced_bos_token_id"));
        forcedEosTokenId = forced(value("forced_eos_token_id"));
        List<Object> decay = Values.list(value("exponential_decay_length_penalty"));
        decayStart = decay == null ? null : Integer.valueOf(Values.saturated(decay.get(0)));
        decayFactor = decay == null ? 1 : ((Number) decay.get(1)).doubleValue();
        suppressTokens = Values.ids(value("suppress_tokens"));
        beginSuppressTokens = Values.ids(value("begin_suppress_tokens"));
        renormalizeLogits = (Boolean) value("renormalize_logits");
        lookup = (Boolean) value("lookup");
    }

    /**
     * Options of the caller over the defaults of the bundle; null takes the default. Options of sampling turn it on, at
     * temperature 1. Defaults that are no options are passed over.
     *
     * @throws SatchelException USAGE for an unknown option, an impossible value, and options that do not go together
     */
    public static Options from(Map<String, ?> given, Map<String, ?> defaults) {
        Map<String, Object> asked = new LinkedHashMap<String, Object>();
        Set<String> unknown = new TreeSet<String>();
        for (Map.Entry<String, ?> entry : given.entrySet()) {
            if (entry.getValue() == null) {
                continue;
            }
            asked.put(entry.getKey(), entry.getValue());
            if (!OptionTable.ABOUT.containsKey(entry.getKey())) {
                unknown.add(entry.getKey());
            }
        }
        if (!unknown.isEmpty()) {
            String known = joined(new TreeSet<String>(OptionTable.ABOUT.keySet()));
            throw SatchelException.usage(
                    "unknown option " + SatchelException.shown(unknown.iterator().next()) + "; known: " + known);
        }
        Map<String, Object> merged = fitting(defaults, asked);
        merged.putAll(asked);
        check(merged);
        Object temperature = merged.get("temperature");
        if (!among(OptionTable.SAMPLING, asked).isEmpty() && (temperature == null || Values.is(temperature, 0))) {
            merged.put("temperature", asked.containsKey("temperature") ? asked.get("temperature") : (Object) 1.0);
        }
        for (About about : OptionTable.ABOUT.values()) {
            if (about.neutral != null && Values.is(merged.get(about.name), about.neutral)) {
                merged.remove(about.name);
            }
        }
        Options chosen = new Options(merged);
        BigInteger beams = Values.whole(chosen.value("num_beams"));
        BigInteger best = Values.whole(chosen.value("n_best"));
        if (best != null && best.compareTo(beams) > 0) {
            throw SatchelException.usage("n_best = " + best + " needs num_beams of at least as many");
        }
        if (Boolean.TRUE.equals(chosen.lookup) && chosen.numBeams > 1) {
            throw SatchelException.usage("lookup does not go with num_beams = " + beams);
        }
        return chosen;
    }

    /** The names of all options, in the order of their declarations. */
    public static List<String> names() {
        return new ArrayList<String>(OptionTable.ABOUT.keySet());
    }

    /** What is declared of an option. */
    public static About about(String name) {
        About about = OptionTable.ABOUT.get(name);
        if (about == null) {
            throw new IllegalArgumentException("unknown option " + name);
        }
        return about;
    }

    /** What an option does, in a few words. */
    public static String help(String name) {
        return about(name).help;
    }

    /** What the value of an option must be, in words. */
    public static String expected(String name) {
        return about(name).expected;
    }

    /** The options that a method ("generate", "stream", "chat", "translate", "transcribe") does not take. */
    public static List<String> unfit(String method) {
        List<String> names = new ArrayList<String>();
        for (About about : OptionTable.ABOUT.values()) {
            if (!about.methods.contains(method)) {
                names.add(about.name);
            }
        }
        return names;
    }

    /** The value of an option as it was given, or what it is unasked; null where it is off. */
    public Object value(String name) {
        About about = about(name);
        return values.containsKey(name) ? values.get(name) : about.unasked;
    }

    /**
     * The defaults that fit what the caller chose: beams, or a choice token by token. Without such a choice, beams go
     * before sampling. Refuses options of the caller that would have no effect.
     */
    private static Map<String, Object> fitting(Map<String, ?> defaults, Map<String, Object> given) {
        List<String> sampling = among(OptionTable.SAMPLING, given);
        if (Values.is(given.get("temperature"), 0) && sampling.size() > 1) {
            throw SatchelException.usage(sampling.get(1) + " has no effect at temperature 0, which is greedy");
        }
        Object beams = 1;
        if (given.containsKey("num_beams")) {
            beams = given.get("num_beams");
        } else if (sampling.isEmpty() && defaults.containsKey("num_beams")) {
            beams = defaults.get("num_beams");
        }
        boolean alone = Values.is(beams, 1);
        if (alone) {
            for (String name : OptionTable.BEAMS.subList(1, OptionTable.BEAMS.size())) {
                if (given.containsKey(name)) {
                    throw SatchelException.usage(name + " has no effect without num_beams of 2 or more");
                }
            }
        } else if (!sampling.isEmpty()) {
            throw SatchelException.usage(
                    sampling.get(0) + " does not go with num_beams = " + Values.text(beams) + ": beams do not sample");
        }
        boolean least = given.containsKey("min_length") || given.containsKey("min_new_tokens");
        if (given.containsKey("min_length") && given.containsKey("min_new_tokens")) {
            throw SatchelException.usage("min_length and min_new_tokens say the same: give one");
        }
        Set<String> dropped = new LinkedHashSet<String>(alone ? OptionTable.BEAMS : OptionTable.SAMPLING);
        if (defaults.containsKey("max_new_tokens") && !given.containsKey("max_length")) {
            dropped.add("max_length");
        }
        if (least) {
            dropped.add("min_length");
            dropped.add("min_new_tokens");
        }
        Map<String, Object> fit = new LinkedHashMap<String, Object>();
        for (Map.Entry<String, ?> entry : defaults.entrySet()) {
            if (OptionTable.ABOUT.containsKey(entry.getKey()) && !dropped.contains(entry.getKey())) {
                fit.put(entry.getKey(), entry.getValue());
            }
        }
        return fit;
    }

    private static void check(Map<String, Object> values) {
        for (Map.Entry<String, Object> entry : values.entrySet()) {
            Rule rule = OptionTable.ABOUT.get(entry.getKey()).rule;
            if (!rule.valid(entry.getValue())) {
                throw SatchelException.usage(
                        entry.getKey() + " = " + Values.shown(entry.getValue()) + "; expected " + rule.expected);
            }
        }
    }

    private static List<String> among(List<String> names, Map<String, ?> given) {
        List<String> found = new ArrayList<String>();
        for (String name : names) {
            if (given.containsKey(name)) {
                found.add(name);
            }
        }
        return found;
    }

    private static String joined(Collection<String> names) {
        StringBuilder out = new StringBuilder();
        for (String name : names) {
            out.append(out.length() == 0 ? "" : ", ").append(name);
        }
        return out.toString();
    }

    private Double number(String name) {
        Object value = value(name);
        return value == null ? null : Double.valueOf(((Number) value).doubleValue());
    }

    private Integer count(String name) {
        Object value = value(name);
        return value == null ? null : Integer.valueOf(Values.saturated(value));
    }

    private static List<BigInteger> forced(Object value) {
        BigInteger whole = Values.whole(value);
        return whole != null ? Collections.singletonList(whole) : Values.ids(value);
    }

    private static List<List<BigInteger>> words(Object value) {
        if (value == null) {
            return null;
        }
        List<List<BigInteger>> words = new ArrayList<List<BigInteger>>();
        for (Object word : Values.list(value)) {
            words.add(Values.ids(word));
        }
        return words;
    }

    private static Map<BigInteger, Double> biases(Object value) {
        Map<BigInteger, Double> biases = new LinkedHashMap<BigInteger, Double>();
        if (value != null) {
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                biases.put(Values.whole(entry.getKey()), ((Number) entry.getValue()).doubleValue());
            }
        }
        return biases;
    }

    private static List<SequenceBias> sequenceBiases(Object value) {
        List<SequenceBias> biases = new ArrayList<SequenceBias>();
        if (value != null) {
            for (Object item : Values.list(value)) {
                List<Object> pair = Values.list(item);
                biases.add(new SequenceBias(Values.ids(pair.get(0)), ((Number) pair.get(1)).doubleValue()));
            }
        }
        return biases;
    }
}
