package satchel.cli;

import satchel.Model;
import satchel.Verification;

/** `verify`: checksums, signatures and parity, again. */
final class Verify extends Verb {
    Verify() {
        super("verify", "checksums, graph signatures and parity, again", "satchel verify my-bundle");
    }

    @Override
    void declare(Arguments arguments) {}

    @Override
    void run(Given given, Console console) {
        Model model = load(given);
        try {
            Verification checks = Verification.of(model);
            for (String line : checks.lines()) {
                console.line(line);
            }
            checks.require();
            if (!model.manifest.verified) {
                console.line("note: this bundle was kept by --force although its export's checks failed");
            }
        } finally {
            model.close();
        }
    }
}
