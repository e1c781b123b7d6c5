package satchel.conformance;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import satchel.Classification;
import satchel.EncoderModel;

/** Texts and pairs of texts in one list, which an app in Java gives one after the other. */
final class Readers {
    private Readers() {}

    static Map<String, Object> classify(EncoderModel model, Map<String, Object> input) {
        String prompt = (String) input.get("prompt");
        List<Classification> found = new ArrayList<Classification>();
        List<Object> items = CaseFile.list(input.get("texts"));
        if (items.isEmpty()) {
            found.addAll(model.classify(new ArrayList<String>(), null, prompt));
        }
        for (int start = 0, end; start < items.size(); start = end) {
            boolean paired = items.get(start) instanceof List;
            List<String> texts = new ArrayList<String>();
            List<String> pairs = new ArrayList<String>();
            for (end = start; end < items.size() && items.get(end) instanceof List == paired; ++end) {
                List<Object> parts = paired ? CaseFile.list(items.get(end)) : items.subList(end, end + 1);
                texts.add(MadeInputs.text(parts.get(0)));
                pairs.add(paired ? MadeInputs.text(parts.get(1)) : null);
            }
            found.addAll(model.classify(texts, paired ? pairs : null, prompt));
        }
        return Answers.classifications(found);
    }
}
