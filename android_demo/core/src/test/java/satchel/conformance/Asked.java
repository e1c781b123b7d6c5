package satchel.conformance;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.DecoderModel;
import satchel.EncoderModel;
import satchel.Model;
import satchel.Picture;
import satchel.SatchelException;
import satchel.Score;
import satchel.Seq2seqModel;
import satchel.Sound;
import satchel.SpeechModel;
import satchel.TextListener;
import satchel.TextModel;
import satchel.Warnings;
import satchel.bundle.Bundle;
import satchel.encoder.ImageFormat;
import satchel.generate.Generation;
import satchel.speech.AudioFormat;
import satchel.speech.Features;
import satchel.text.TextStream;
import satchel.tokenizer.Tokenizer;

/** A request of a file of cases, put to a loaded bundle; the answer in the types of JSON. */
final class Asked {
    private final Model model;
    private final Tokenizer tokenizer; // null: the bundle reads no text

    Asked(Model model) {
        this.model = model;
        Bundle bundle = model.bundle;
        tokenizer = model.manifest.readsText() ? Tokenizer.read(bundle.file(Bundle.TOKENIZER)) : null;
        if (model instanceof EncoderModel) {
            ((EncoderModel) model).setWarnings(new Warnings() {
                @Override
                public void warn(String message) {}
            });
        }
    }

    /**
     * What the bundle answers. Of an array it gives the numbers at the places that {@code expect} names.
     *
     * @throws Untyped where a request cannot be written in Java
     */
    Map<String, Object> answer(String kind, Map<String, Object> input, Map<String, Object> expect) {
        if (kind.equals("refused")) {
            return refused((String) input.get("kind"), CaseFile.map(input.get("input")));
        }
        if (kind.equals("encode")) {
            return encode(input);
        }
        if (kind.equals("decode")) {
            boolean skip = (Boolean) input.get("skip_special_tokens");
            return Answers.of("text", tokenizer.decode(MadeInputs.ids(input.get("ids")), skip));
        }
        if (kind.equals("pieces")) {
            return pieces(input);
        }
        Map<String, Object> written = written(kind, input, expect);
        if (written == null) {
            written = read(kind, input, expect);
        }
        if (written == null) {
            throw new IllegalArgumentException("a kind of case that is unknown here: " + kind);
        }
        return written;
    }

    private Map<String, Object> refused(String kind, Map<String, Object> input) {
        try {
            answer(kind, input, null);
        } catch (SatchelException error) {
            return Answers.of("code", error.code, "exit_status", error.exitStatus);
        }
        return Answers.of("code", null, "exit_status", 0);
    }

    private Map<String, Object> encode(Map<String, Object> input) {
        String text = MadeInputs.text(input.get("text"));
        String pair = MadeInputs.text(input.get("pair"));
        boolean special = (Boolean) input.get("special_tokens");
        return Answers.of(pair == null ? tokenizer.encode(text, special) : tokenizer.encode(text, pair, special));
    }

    private Map<String, Object> pieces(Map<String, Object> input) {
        List<String> stop = input.containsKey("stop")
            ? MadeInputs.texts(input.get("stop")) : new ArrayList<String>();
        TextStream stream = new TextStream(tokenizer, stop);
        List<Object> pieces = new ArrayList<Object>();
        for (int id : MadeInputs.ids(input.get("ids"))) {
            pieces.add(stream.add(id));
            if (stream.stopped()) {
                break;
            }
        }
        pieces.add(stream.close());
        return Answers.of("pieces", pieces, "stopped", stream.stopped());
    }

    /** The kinds of bundles that write; null for another. */
    private Map<String, Object> written(String kind, Map<String, Object> input, Map<String, Object> expect) {
        switch (kind) {
            case "greedy":
            case "processors":
            case "sampling":
            case "beams":
            case "stops":
            case "batches":
                return generate(input);
            case "stream":
                return stream(input);
            case "logits":
                return Answers.array(logits(input), expect);
            case "score":
                return score(input);
            case "source":
                int[] ids = ((Seq2seqModel) model).encodeSource(
                    MadeInputs.text(input.get("text")), (String) input.get("source_lang"),
                    (String) input.get("target_lang"));
                return Answers.of("ids", Answers.list(ids));
            case "conversation":
                model.require("chat");
                return Answers.of("ids", Answers.list(((DecoderModel) model).encodeChat(messages(input))));
            case "chat":
                model.require("chat");
                DecoderModel talker = (DecoderModel) model;
                return Answers.of("generation", Answers.of(talker.chat(messages(input), options(input))));
            case "translate":
                model.require("translate");
                return Answers.of("texts", ((Seq2seqModel) model).translate(
                    MadeInputs.texts(input.get("texts")), (String) input.get("source_lang"),
                    (String) input.get("target_lang"), options(input), null));
            case "transcribe":
                return transcribe(input);
            case "languages":
                model.require("detect_language");
                return Answers.of("languages", ((SpeechModel) model).detectLanguage(sound(input)));
            case "features":
                Features features = new AudioFormat(model.manifest.audio).logMel(
                    MadeInputs.sound(input.get("sound"), rate()), number(input, "silence", 0));
                float[][] values = {features.values};
                Map<String, Object> answer = Answers.array(values, expect, features.mels, features.frames);
                answer.remove("sha256");
                return answer;
            default:
                return null;
        }
    }

    private Map<String, Object> generate(Map<String, Object> input) {
        model.require("generate");
        List<Object> prompts = new ArrayList<Object>();
        for (Object prompt : CaseFile.list(input.get("prompts"))) {
            prompts.add(MadeInputs.prompt(prompt));
        }
        Map<String, Object> options = options(input);
        List<Object> lists = new ArrayList<Object>();
        if (options.get("n_best") != null) {
            for (List<Generation> found : ((TextModel) model).nBest(prompts, options, null)) {
                lists.add(Answers.generations(found));
            }
        } else {
            for (Generation one : ((TextModel) model).generate(prompts, options, null)) {
                lists.add(Answers.generations(java.util.Collections.singletonList(one)));
            }
        }
        return Answers.of("generations", lists);
    }

    private Map<String, Object> stream(Map<String, Object> input) {
        model.require("stream");
        final List<Object> pieces = new ArrayList<Object>();
        TextListener listener = new TextListener() {
            @Override
            public void piece(String text) {
                pieces.add(text);
            }
        };
        Object prompt = MadeInputs.prompt(input.get("prompt"));
        Generation all = prompt instanceof int[]
            ? ((TextModel) model).stream((int[]) prompt, options(input), null, listener)
            : ((TextModel) model).stream((String) prompt, options(input), null, listener);
        return Answers.of("pieces", pieces, "generation", Answers.of(all));
    }

    private float[][] logits(Map<String, Object> input) {
        model.require("logits");
        if (input.containsKey("source")) {
            return ((Seq2seqModel) model).logits(
                MadeInputs.prompt(input.get("source")), MadeInputs.prompt(input.get("target")));
        }
        return ((DecoderModel) model).logits(MadeInputs.ids(input.get("ids")));
    }

    private Map<String, Object> score(Map<String, Object> input) {
        model.require("score");
        Object prompt = MadeInputs.prompt(input.get("prompt"));
        Score score = prompt instanceof int[]
            ? ((DecoderModel) model).score((int[]) prompt)
            : ((DecoderModel) model).score((String) prompt);
        return Answers.of("tokens", Answers.list(score.tokens), "logprobs", Answers.list(score.logprobs));
    }

    private Map<String, Object> transcribe(Map<String, Object> input) {
        model.require("transcribe");
        Map<String, Object> options = options(input);
        for (String name : new String[] {"language", "task", "timestamps"}) {
            if (input.get(name) != null) {
                options.put(name, input.get(name));
            }
        }
        return Answers.of(((SpeechModel) model).transcribe(sound(input), options, null));
    }

    /** The kinds of encoders; null for another. */
    private Map<String, Object> read(String kind, Map<String, Object> input, Map<String, Object> expect) {
        switch (kind) {
            case "embed":
                model.require("embed");
                return vectors(encoder().embed(
                    MadeInputs.texts(input.get("texts")), (String) input.get("prompt"), window(input)), "text");
            case "states":
                model.require("hidden_states");
                Object prompt = MadeInputs.prompt(input.get("prompt"));
                return Answers.array(prompt instanceof int[]
                    ? encoder().hiddenStates((int[]) prompt) : encoder().hiddenStates((String) prompt), expect);
            case "classify":
                model.require("classify");
                return Readers.classify(encoder(), input);
            case "rank":
                model.require("rank");
                return Answers.ranked(encoder().rank(MadeInputs.text(input.get("query")),
                    MadeInputs.texts(input.get("passages")), (String) input.get("prompt")));
            case "tokens":
                model.require("tokens");
                return Answers.spans(encoder().tokens(MadeInputs.texts(input.get("texts")), window(input)));
            case "answers":
                model.require("answers");
                return Answers.answers(encoder().answers(
                    MadeInputs.text(input.get("question")), MadeInputs.text(input.get("context")),
                    number(input, "top", 0), number(input, "longest", 0)));
            case "fill_mask":
                model.require("fill_mask");
                return Answers.filled(
                    encoder().fillMask(MadeInputs.text(input.get("text")), number(input, "top", 0)));
            case "pixels":
                ImageFormat form = new ImageFormat(model.manifest.image);
                float[][] pixels = {form.pixels(MadeInputs.image(input.get("image")))};
                return Answers.array(pixels, expect, 3, form.height, form.width);
            case "embed_images":
                model.require("embed_images");
                return vectors(encoder().embedImages(images(input)), "image");
            case "classify_images":
                model.require("classify_images");
                return Answers.classifications(encoder().classifyImages(images(input)));
            case "image_states":
                model.require("image_hidden_states");
                return Answers.array(
                    encoder().imageHiddenStates(MadeInputs.image(input.get("image"))), expect);
            default:
                return null;
        }
    }

    private EncoderModel encoder() {
        return (EncoderModel) model;
    }

    /** Rows of numbers; how many are in one is said by the graph, since there may be no row. */
    private Map<String, Object> vectors(float[][] rows, String role) {
        String graph = model.manifest.graphs.containsKey(role) ? role : "encoder";
        List<satchel.bundle.Manifest.Port> outputs = model.manifest.graphs.get(graph).outputs;
        Object[] axes = outputs.get(outputs.size() - 1).axes;
        return Answers.vectors(rows, ((Number) axes[axes.length - 1]).intValue());
    }

    private int rate() {
        return ((Long) model.manifest.audio.get("sampling_rate")).intValue();
    }

    private Sound sound(Map<String, Object> input) {
        return Sound.of(MadeInputs.sound(input.get("sound"), rate()), rate());
    }

    private static List<Picture> images(Map<String, Object> input) {
        List<Picture> pictures = new ArrayList<Picture>();
        for (Object one : CaseFile.list(input.get("images"))) {
            pictures.add(MadeInputs.image(one));
        }
        return pictures;
    }

    private static List<Object> messages(Map<String, Object> input) {
        List<Object> messages = new ArrayList<Object>();
        for (Object given : CaseFile.list(input.get("messages"))) {
            Map<String, Object> message = new LinkedHashMap<String, Object>(CaseFile.map(given));
            if (message.containsKey("content")) {
                message.put("content", MadeInputs.any(message.get("content")));
            }
            messages.add(message);
        }
        return messages;
    }

    private static Map<String, Object> options(Map<String, Object> input) {
        Map<String, Object> options = new LinkedHashMap<String, Object>();
        if (input.containsKey("options")) {
            options.putAll(CaseFile.map(input.get("options")));
        }
        if (options.get("logit_bias") instanceof Map) { // whose keys are ids, which are texts in JSON
            Map<Object, Object> bias = new LinkedHashMap<Object, Object>();
            for (Map.Entry<String, Object> entry : CaseFile.map(options.get("logit_bias")).entrySet()) {
                bias.put(Long.valueOf(entry.getKey()), entry.getValue());
            }
            options.put("logit_bias", bias);
        }
        for (String name : new String[] {"max_new_tokens", "stop"}) {
            if (input.containsKey(name)) {
                options.put(name, input.get(name));
            }
        }
        return options;
    }

    private static Integer window(Map<String, Object> input) {
        return input.get("window") == null ? null : Integer.valueOf(number(input, "window", 0));
    }

    private static int number(Map<String, Object> input, String name, int usual) {
        return input.get(name) == null ? usual : ((Long) input.get(name)).intValue();
    }
}
