package satchel.cli;

import java.io.File;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.EncoderModel;
import satchel.Model;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.bundle.Manifest;
import satchel.json.Numbers;

/** `embed`: vectors of texts or images. */
final class Embed extends Verb {
    private static final int DIGITS = 6; // of a number that is printed

    Embed() {
        super("embed", "vectors of texts or images",
                "satchel embed my-bundle \"a text\" \"another\"",
                "satchel embed my-bundle --file corpus.txt --out vectors.npy",
                "satchel embed my-bundle --image photo.jpg");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("text", Argument.Takes.SEVERAL, "texts");
        arguments.add("--file", Argument.Takes.ONE, "a text file, one text per line").shown("FILE");
        arguments.add("--image", Argument.Takes.SEVERAL, "image files").shown("FILE");
        arguments.add("--out", Argument.Takes.ONE, "a .npy file; a killed run of --file goes on").shown("FILE");
        arguments.add("--overwrite", Argument.Takes.NOTHING, "replace what is at --out");
        arguments.add("--prompt", Argument.Takes.ONE, "a prompt of the bundle to put before each text").shown("NAME");
        arguments.add("--window", Argument.Takes.ONE, "split long texts; tokens that overlap")
                .read(Argument.Read.WHOLE, "N");
    }

    @Override
    void run(Given given, Console console) {
        onlyOneOf(given, "text", "file", "image");
        if (given.has("file") && !given.has("out")) {
            throw SatchelException.usage("--file needs --out, a .npy file for the vectors");
        }
        if (given.flag("overwrite") && !given.has("out")) {
            throw SatchelException.usage("--overwrite is for --out");
        }
        boolean images = given.has("image");
        if (images && (given.has("prompt") || given.has("window"))) {
            throw SatchelException.usage("--prompt and --window are for texts, not for --image");
        }
        File out = given.has("out") ? given.file("out") : null;
        if (out != null) {
            Vectors.checkOutput(out, given.flag("overwrite"));
        }
        Model model = load(given);
        try {
            model.require(images ? "embed_images" : "embed");
            EncoderModel encoder = (EncoderModel) model;
            int dim = dim(model.manifest, images);
            if (given.has("file")) {
                embedFile(given, console, encoder, out, dim);
                return;
            }
            float[][] rows = images
                    ? encoder.embedImages(ImageFiles.read(given.texts("image")))
                    : encoder.embed(given.texts("text"), given.text("prompt"), given.whole("window"));
            if (out != null) {
                Vectors.save(out, rows, dim, given.flag("overwrite"));
                console.line(out + ": " + rows.length + " vectors of " + dim + " numbers");
            } else {
                print(rows, console);
            }
        } finally {
            model.close();
        }
    }

    private static void print(float[][] rows, Console console) {
        for (float[] row : rows) {
            List<Object> numbers = new ArrayList<Object>();
            for (float number : row) {
                numbers.add(Numbers.rounded(number, DIGITS));
            }
            console.line(Readable.json(numbers));
        }
    }

    private static void embedFile(Given given, Console console, final EncoderModel model, File out, int dim) {
        final String prompt = given.text("prompt");
        final Integer window = given.whole("window");
        Map<String, Object> settings = new LinkedHashMap<String, Object>();
        settings.put("prompt", prompt);
        settings.put("window", window);
        settings.put("bundle", Bundle.sha256(model.bundle.file(Bundle.MANIFEST)));
        Vectors.Embed embed = new Vectors.Embed() {
            @Override
            public float[][] of(List<String> texts) {
                return model.embed(texts, prompt, window);
            }
        };
        int[] counts = Vectors.embedFile(given.file("file"), out, dim, settings, given.flag("overwrite"), embed);
        String again = counts[1] > 0 ? ", " + counts[1] + " of them by an earlier run" : "";
        console.line(out + ": " + counts[0] + " vectors of " + dim + " numbers" + again);
    }

    /** Numbers of a vector: the last axis of the last output of the graph that makes it. */
    private static int dim(Manifest manifest, boolean images) {
        String text = manifest.graphs.containsKey("text") ? "text" : "encoder";
        List<Manifest.Port> outputs = manifest.graphs.get(images ? "image" : text).outputs;
        Object[] axes = outputs.get(outputs.size() - 1).axes;
        return (Integer) axes[axes.length - 1];
    }
}
