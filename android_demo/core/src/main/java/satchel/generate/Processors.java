package satchel.generate;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/**
 * Makes the processors that options ask for. Their order and meaning are those of transformers. A processor belongs to
 * one text, or to the beams of one.
 */
public final class Processors {
    private final Options options;
    private final int vocabSize;
    private final int[] eos;
    private final List<Processor> chosen = new ArrayList<Processor>();

    private Processors(Options options, int vocabSize, int[] eos) {
        this.options = options;
        this.vocabSize = vocabSize;
        this.eos = eos;
    }

    /**
     * The processors of one text, in their order.
     *
     * @param start how many ids the decoder begins with
     * @param limit how many it may add
     * @param source what an encoder reads, or the prompt
     * @throws SatchelException TOKEN_ID for an unknown id, USAGE for a forced first id behind others
     */
    public static List<Processor> of(
            Options options, int vocabSize, int[] eos, int start, int limit, int[] source) {
        Processors made = new Processors(options, vocabSize, eos);
        made.changes(source);
        made.ends(start, limit);
        made.suppressions(start);
        return made.chosen;
    }

    private void changes(int[] source) {
        if (!options.logitBias.isEmpty() || !options.sequenceBias.isEmpty()) {
            chosen.add(bias());
        }
        if (options.encoderRepetitionPenalty != null && source.length > 0) {
            chosen.add(new RepetitionPenalty(1 / options.encoderRepetitionPenalty, source));
        }
        if (options.repetitionPenalty != null) {
            chosen.add(new RepetitionPenalty(options.repetitionPenalty, null));
        }
        if (options.noRepeatNgramSize != null) {
            chosen.add(new NoRepeatNgram(options.noRepeatNgramSize, null));
        }
        if (options.encoderNoRepeatNgramSize != null) {
            chosen.add(new NoRepeatNgram(options.encoderNoRepeatNgramSize, source));
        }
        if (options.badWordsIds != null) {
            List<int[]> words = new ArrayList<int[]>();
            for (List<BigInteger> each : options.badWordsIds) {
                int[] word = ids("bad_words_ids", each);
                if (word.length > 1 || !Texts.contains(eos, word[0])) {
                    words.add(word);
                }
            }
            chosen.add(new BadWords(words));
        }
    }

    /** What says how a text begins and ends, and how long it is at least. */
    private void ends(int start, int limit) {
        int length = options.minLength == null ? 0 : options.minLength;
        int added = options.minNewTokens == null ? 0 : options.minNewTokens;
        int least = Math.max(length - start, added);
        if (least > 0 && eos.length > 0) {
            chosen.add(new Suppress(eos, 0, least - 1));
        }
        if (options.forcedBosTokenId != null) {
            if (start != 1) {
                throw SatchelException.usage(
                        "forced_bos_token_id is for the id after the first; the prompt has " + start + " tokens");
            }
            chosen.add(new Force(ids("forced_bos_token_id", options.forcedBosTokenId), 0));
        }
        if (options.forcedEosTokenId != null) {
            chosen.add(new Force(ids("forced_eos_token_id", options.forcedEosTokenId), limit - 1));
        }
        if (options.decayStart != null && eos.length > 0) {
            chosen.add(new Decay(eos, options.decayStart, options.decayFactor));
        }
    }

    private void suppressions(int start) {
        if (options.suppressTokens != null) {
            int[] ids = ids("suppress_tokens", options.suppressTokens);
            chosen.add(new Suppress(ids, 0, Integer.MAX_VALUE));
        }
        if (options.beginSuppressTokens != null) {
            int place = start == 1 && options.forcedBosTokenId != null ? 1 : 0;
            chosen.add(new Suppress(ids("begin_suppress_tokens", options.beginSuppressTokens), place, place));
        }
        if (Boolean.TRUE.equals(options.renormalizeLogits)) {
            chosen.add(new Renormalize());
        }
    }

    /** The ids of an option. Refuses one that the model does not have. */
    private int[] ids(String name, Iterable<BigInteger> values) {
        List<BigInteger> listed = new ArrayList<BigInteger>();
        for (BigInteger value : values) {
            listed.add(value);
        }
        int[] ids = new int[listed.size()];
        for (int i = 0; i < ids.length; ++i) {
            BigInteger id = listed.get(i);
            if (id.compareTo(BigInteger.valueOf(vocabSize)) >= 0) {
                String range = "0.." + (vocabSize - 1);
                throw SatchelException.usage(name + ": id " + id + " is outside " + range, "TOKEN_ID");
            }
            ids[i] = id.intValue();
        }
        return ids;
    }

    /** What logit_bias and sequence_bias add; of a sequence that is named twice, the last counts. */
    private Bias bias() {
        ids("logit_bias", options.logitBias.keySet());
        for (Options.SequenceBias each : options.sequenceBias) {
            ids("sequence_bias", each.ids);
        }
        Map<List<BigInteger>, Double> named = new LinkedHashMap<List<BigInteger>, Double>();
        for (Options.SequenceBias each : options.sequenceBias) {
            named.put(each.ids, each.value);
        }
        Map<BigInteger, Double> alone = new LinkedHashMap<BigInteger, Double>(options.logitBias);
        List<int[]> longer = new ArrayList<int[]>();
        List<Double> values = new ArrayList<Double>();
        for (Map.Entry<List<BigInteger>, Double> entry : named.entrySet()) {
            if (entry.getKey().size() > 1) {
                longer.add(ids("sequence_bias", entry.getKey()));
                values.add(entry.getValue());
                continue;
            }
            BigInteger id = entry.getKey().get(0);
            Double before = alone.get(id);
            alone.put(id, (before == null ? 0.0 : before) + entry.getValue());
        }
        return new Bias(ids("logit_bias", alone.keySet()), floats(alone.values()), longer, floats(values));
    }

    private static float[] floats(Iterable<Double> values) {
        List<Double> listed = new ArrayList<Double>();
        for (Double value : values) {
            listed.add(value);
        }
        float[] floats = new float[listed.size()];
        for (int i = 0; i < floats.length; ++i) {
            floats[i] = listed.get(i).floatValue();
        }
        return floats;
    }
}
