package satchel.cli;

import satchel.bundle.Bundle;

/** `inspect`: what a bundle holds. */
final class Inspect extends Verb {
    Inspect() {
        super("inspect", "what a bundle holds", "satchel inspect my-bundle");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("--json", Argument.Takes.NOTHING, "print the manifest");
    }

    @Override
    void run(Given given, Console console) {
        Bundle bundle = Bundle.open(given.file("bundle"));
        bundle.awaitChecks();
        if (given.flag("json")) {
            console.print(Bundle.manifestText(bundle.folder));
        } else {
            console.line(Report.describe(bundle));
        }
    }
}
