package satchel.cli;

import java.util.List;
import java.util.Map;
import satchel.Model;
import satchel.Seq2seqModel;

/** `translate`: standard input into another language. */
final class Translate extends Verb {
    Translate() {
        super("translate", "standard input into another language, line by line",
                "satchel translate my-bundle --source-lang en --target-lang de < in.txt > out.txt");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("--source-lang", Argument.Takes.ONE, "of the input, as the checkpoint names it").shown("NAME");
        arguments.add("--target-lang", Argument.Takes.ONE, "of the output, likewise").shown("NAME");
        arguments.add("--stop", Argument.Takes.SEVERAL, "end at these").shown("TEXT");
        OptionFlags.add(arguments, "translate");
    }

    @Override
    void run(Given given, Console console) {
        Model model = load(given);
        try {
            model.require("translate");
            Map<String, Object> settings = OptionFlags.withLength(given, "translate");
            if (given.has("stop")) {
                settings.put("stop", given.texts("stop"));
            }
            List<String> lines = Lines.piped(console.in).rest();
            new TranslationLines((Seq2seqModel) model, lines, given.text("source_lang"), given.text("target_lang"),
                    settings).print(console);
        } finally {
            model.close();
        }
    }
}
