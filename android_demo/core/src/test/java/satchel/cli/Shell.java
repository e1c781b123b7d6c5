package satchel.cli;

import java.util.ArrayList;
import java.util.List;

/** The words of a line as a shell reads them: quotes, and what it redirects left out. */
final class Shell {
    private Shell() {}

    static List<String> words(String line) {
        List<String> words = new ArrayList<String>();
        StringBuilder word = new StringBuilder();
        boolean quoted = false;
        int redirected = line.indexOf(" < ");
        String command = redirected < 0 ? line : line.substring(0, redirected);
        for (char c : (command + " ").toCharArray()) {
            if (c == '"') {
                quoted = !quoted;
            } else if (c == ' ' && !quoted) {
                words.add(word.toString());
                word.setLength(0);
            } else {
                word.append(c);
            }
        }
        return words;
    }
}
