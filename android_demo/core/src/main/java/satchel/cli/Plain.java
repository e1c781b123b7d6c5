package satchel.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Answer;
import satchel.Classification;
import satchel.Filled;
import satchel.Ranked;
import satchel.Segment;
import satchel.Span;
import satchel.Transcript;
import satchel.generate.Generation;

/** Results as JSON has them: the fields that they have in Python, in that order. */
final class Plain {
    private Plain() {}

    /** A result, or a list of them. */
    static Object of(Object result) {
        if (result instanceof List) {
            List<Object> list = new ArrayList<Object>();
            for (Object item : (List<?>) result) {
                list.add(of(item));
            }
            return list;
        }
        Map<String, Object> fields = new LinkedHashMap<String, Object>();
        if (result instanceof Generation) {
            generation((Generation) result, fields);
        } else if (result instanceof Classification) {
            Classification one = (Classification) result;
            fields.put("label", one.label);
            fields.put("score", one.score);
            fields.put("scores", one.scores);
        } else if (result instanceof Ranked) {
            fields.put("index", ((Ranked) result).index);
            fields.put("score", ((Ranked) result).score);
        } else if (result instanceof Filled) {
            Filled one = (Filled) result;
            fields.put("token", one.token);
            fields.put("score", one.score);
            fields.put("text", one.text);
        } else if (result instanceof Span) {
            Span one = (Span) result;
            fields.put("label", one.label);
            fields.put("text", one.text);
            fields.put("start", one.start);
            fields.put("end", one.end);
            fields.put("score", one.score);
        } else if (result instanceof Answer) {
            Answer one = (Answer) result;
            fields.put("text", one.text);
            fields.put("start", one.start);
            fields.put("end", one.end);
            fields.put("score", one.score);
            fields.put("no_answer", one.noAnswer);
        } else if (result instanceof Segment) {
            Segment one = (Segment) result;
            fields.put("start", one.start);
            fields.put("end", one.end);
            fields.put("text", one.text);
            fields.put("tokens", list(one.tokens));
        } else {
            transcript((Transcript) result, fields);
        }
        return fields;
    }

    private static void generation(Generation one, Map<String, Object> fields) {
        fields.put("text", one.text);
        fields.put("tokens", list(one.tokens));
        fields.put("finish_reason", one.finishReason);
        List<Object> logprobs = new ArrayList<Object>();
        for (double logprob : one.logprobs == null ? new double[0] : one.logprobs) {
            logprobs.add(logprob);
        }
        fields.put("logprobs", logprobs);
        fields.put("prompt_tokens", one.promptTokens);
        fields.put("score", one.score);
        fields.put("looked_up", one.lookedUp);
    }

    private static void transcript(Transcript one, Map<String, Object> fields) {
        fields.put("text", one.text);
        fields.put("language", one.language);
        fields.put("duration", one.duration);
        fields.put("segments", of(one.segments));
    }

    private static List<Object> list(int[] numbers) {
        List<Object> list = new ArrayList<Object>();
        for (int number : numbers) {
            list.add(number);
        }
        return list;
    }
}
