package satchel.bundle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;

/** What a manifest must say of an encoder-decoder model: its targets, languages and what it hears. */
final class TargetRules {
    private TargetRules() {}

    static void check(Manifest manifest) {
        if (manifest.seq2seq.start < 0 || manifest.seq2seq.start >= manifest.vocabSize) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": seq2seq = " + Words.shown(manifest.seq2seq) + " has no first id of targets");
        }
        if (manifest.translation != null) {
            checkTranslation(manifest.translation, manifest.vocabSize);
        }
        if (manifest.speech != null) {
            checkSpeech(manifest.speech, manifest);
        }
    }

    private static void checkTranslation(Manifest.Translation told, int vocabSize) {
        List<Object> ids = new ArrayList<Object>(told.languages.values());
        ids.addAll(Arrays.asList(told.prefix));
        ids.addAll(Arrays.asList(told.suffix));
        ids.add(told.unknown == null ? 0 : told.unknown);
        boolean fits = Arrays.asList("forced", "start", Manifest.Translation.SOURCE).contains(told.target);
        for (Object id : ids) {
            boolean language = Manifest.Translation.SOURCE.equals(id) || Manifest.Translation.TARGET.equals(id);
            fits &= language || (id instanceof Integer && (Integer) id >= 0 && (Integer) id < vocabSize);
        }
        for (String name : new String[] {told.sourceLang, told.targetLang}) {
            fits &= name == null || told.languages.containsKey(name);
        }
        if (!fits) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": translation = " + Words.shown(told) + " contradicts itself");
        }
    }

    private static void checkSpeech(Manifest.Speech speech, Manifest manifest) {
        List<Integer> ids = new ArrayList<Integer>(speech.languages.values());
        ids.addAll(speech.tasks.values());
        if (speech.noTimestamps != null) {
            ids.add(speech.noTimestamps);
            long last = (long) speech.noTimestamps + 1 + manifest.seq2seq.sourceContext;
            ids.add((int) Math.min(Integer.MAX_VALUE, last));
        }
        for (Integer id : ids) {
            Rules.checkId("speech", id, manifest.vocabSize);
        }
        boolean tasks = !speech.tasks.isEmpty();
        if (speech.languages.isEmpty() == tasks || (tasks && !speech.tasks.containsKey(speech.task))) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": speech: task = " + Words.shown(speech.task) + " has no id");
        }
        if (manifest.tokens.eos.length == 0) {
            throw SatchelException.bundle(Bundle.MANIFEST + ": tokens: no id ends a window's text");
        }
        for (String name : new String[] {"max_new_tokens", "max_length"}) {
            if (manifest.generation.containsKey(name)) {
                Object bound = manifest.generation.get(name);
                if (!(bound instanceof Long) || (Long) bound < 1) {
                    throw Rules.wrong("generation." + name, bound, "a count of ids");
                }
            }
        }
        if (speech.timestamps && speech.noTimestamps == null) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": speech: timestamps are wanted of a model that has none");
        }
        if (speech.language != null && !speech.languages.containsKey(speech.language)) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": speech: language = " + Words.shown(speech.language) + " has no id");
        }
        // The largest int stands for every number beyond.
        if (speech.latestStart != null && (speech.latestStart < 0 || speech.latestStart == Integer.MAX_VALUE)) {
            throw Rules.wrong("latest_start", speech.latestStart, "a count of steps");
        }
    }
}
