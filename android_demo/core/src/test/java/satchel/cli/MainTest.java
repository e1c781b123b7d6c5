package satchel.cli;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import org.junit.Test;

/** What the command line refuses: one line that says what to do. */
public class MainTest {
    private String output;
    private String errors;

    private int run(String... words) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status = Main.run(words, new ByteArrayInputStream(new byte[0]), out, err);
        output = new String(out.toByteArray(), Console.UTF_8);
        errors = new String(err.toByteArray(), Console.UTF_8);
        return status;
    }

    private void refused(int status, String code, String words, String... command) {
        assertEquals(Arrays.toString(command), status, run(command));
        assertEquals("", output);
        assertTrue(errors, errors.startsWith("error[" + code + "]: ") && errors.indexOf('\n') == errors.length() - 1);
        assertTrue(errors, errors.contains(words));
    }

    private void misread(String words, String... command) {
        refused(2, "USAGE", words, command);
    }

    @Test
    public void whatCannotBeRead() {
        misread("required: COMMAND; see satchel --help");
        misread("command 'fly' is unknown; known: generate, translate", "fly");
        misread("did you mean generate?", "genrate", "a", "b");
        misread("required: COMMAND", "--fly");
        misread("required: bundle, prompt; see satchel generate --help", "generate");
        misread("required: prompt", "generate", "b");
        misread("'--fly' is no option of satchel generate; see", "generate", "b", "x", "--fly");
        misread("did you mean --temperature?", "generate", "b", "x", "--temprature", "1");
        misread("'--temprature' is no option", "generate", "b", "x", "--temprature=1");
        misread("argument --top-k: invalid int value: 'many'", "generate", "b", "x", "--top-k", "many");
        misread("argument --top-p: invalid float value: '1,5'", "generate", "b", "x", "--top-p", "1,5");
        misread("argument --logit-bias: '[1' is not JSON, as [1, 2]", "generate", "b", "x", "--logit-bias", "[1");
        misread("--threads: invalid int value", "bench", "b", "--threads", "1.5");
        misread("'b' is an argument too many; see satchel inspect --help", "inspect", "a", "b");
        misread("--task 'sing' is unknown; known: transcribe, translate", "transcribe", "b", "x", "--task", "sing");
        misread("argument --seed: expected one argument", "generate", "b", "x", "--seed");
        misread("argument --stop: expected at least one argument", "generate", "b", "x", "--stop", "--chat");
        misread("argument --pair: expected 2 arguments", "classify", "b", "--pair", "x");
        misread("ambiguous option: --top could match --top-k, --top-p, --top-h", "generate", "b", "x", "--top", "1");
        misread("argument --chat: ignored explicit argument '1'", "generate", "b", "x", "--chat=1");
        misread("required: --query; see satchel rank", "rank", "b");
        misread("required: --context", "answer", "b");
        misread("give --question or --file, and one of them only", "answer", "b", "--context", "x");
        misread("give a text or --file or --image, and one", "embed", "b", "text", "--file", "x");
        misread("give a passage or --file, and one", "rank", "b", "--query", "q");
        misread("--file needs --out", "embed", "b", "--file", "x");
        misread("--overwrite is for --out", "embed", "b", "x", "--overwrite");
        misread("--prompt and --window are for texts", "embed", "b", "--image", "x", "--window", "3");
        misread("--repeats 0; expected at least 1", "bench", "b", "--repeats", "0");
        misread("expected a name that ends with .npy", "embed", "b", "x", "--out", "y.npz");
    }

    @Test
    public void bundlesThatAreNotThere() {
        for (String verb : new String[] {"generate", "chat", "inspect", "verify", "bench", "embed", "fill-mask"}) {
            boolean text = !Arrays.asList("chat", "inspect", "verify", "bench").contains(verb);
            String[] command = text ? new String[] {verb, "no such", "x"} : new String[] {verb, "no such"};
            refused(4, "BUNDLE", "'no such' does not exist; expected a bundle made by satchel export", command);
        }
    }

    @Test
    public void debugShowsWhere() {
        assertEquals(4, run("inspect", "no such", "--debug"));
        assertTrue(errors, errors.startsWith("satchel.SatchelException: 'no such' does not exist"));
        assertTrue(errors, errors.contains("\terror[BUNDLE]: ") || errors.contains("\nerror[BUNDLE]: "));
    }

    @Test
    public void help() {
        assertEquals(0, run("--help"));
        assertTrue(output, output.contains("fill-mask"));
        assertEquals(0, run("generate", "--help"));
        assertTrue(output, output.contains("--no-repeat-ngram-size N") && output.contains("beam search:"));
        assertEquals(0, run("generate", "b", "--hel"));
        assertEquals(0, run("--version"));
        assertEquals("satchel " + Main.VERSION + "\n", output);
    }
}
