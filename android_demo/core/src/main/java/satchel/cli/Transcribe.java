package satchel.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import satchel.Model;
import satchel.Segment;
import satchel.Sound;
import satchel.SpeechModel;
import satchel.Transcript;
import satchel.Transcription;

/** `transcribe`: the text of a sound file. */
final class Transcribe extends Verb {
    private static final int MINUTE = 6000; // hundredths of a second

    Transcribe() {
        super("transcribe", "the text of a sound file",
                "satchel transcribe my-bundle speech.wav",
                "satchel transcribe my-bundle speech.wav --language de --timestamps",
                "satchel transcribe my-bundle speech.wav --task translate --json");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("sound", Argument.Takes.ONE, "a WAV file");
        arguments.add("--language", Argument.Takes.ONE, "as \"en\" or \"english\"; default: what is heard")
                .shown("NAME");
        arguments.add("--task", Argument.Takes.ONE, "transcribe (default), or translate to English")
                .shown("{transcribe,translate}")
                .choices(Arrays.asList("transcribe", "translate"));
        arguments.add("--timestamps", Argument.Takes.NOTHING, "a line per segment");
        arguments.add("--json", Argument.Takes.NOTHING, "print the result as JSON");
        OptionFlags.add(arguments, "transcribe");
    }

    @Override
    void run(Given given, Console console) {
        Model model = load(given);
        try {
            model.require("transcribe");
            Map<String, Object> settings = OptionFlags.withLength(given, "transcribe");
            settings.put("language", given.text("language"));
            settings.put("task", given.text("task"));
            settings.put("timestamps", given.flag("timestamps") ? Boolean.TRUE : null); // else as recommended
            Sound sound = Sound.of(given.file("sound"));
            Transcription heard = ((SpeechModel) model).transcribeStream(sound, settings, null);
            boolean lines = given.flag("timestamps") && !given.flag("json");
            while (heard.hasNext()) {
                Segment segment = heard.next();
                if (lines) {
                    console.line("[" + clock(segment.start) + " - " + clock(segment.end) + "] "
                            + console.readable(segment.text));
                    console.flush();
                }
            }
            Transcript transcript = heard.result();
            if (!lines) {
                boolean json = given.flag("json");
                console.line(json ? Readable.json(Plain.of(transcript)) : console.readable(transcript.text));
            }
            if (transcript.segments.isEmpty()) {
                console.note("note: nothing is said");
            }
        } finally {
            model.close();
        }
    }

    /** As 01:02:03.45, without hours where there are none. */
    static String clock(double seconds) {
        long hundredths = (long) Math.rint(seconds * 100);
        long minutes = hundredths / MINUTE;
        long rest = hundredths % MINUTE;
        String hours = minutes >= 60 ? String.format(Locale.ROOT, "%02d:", minutes / 60) : "";
        return hours + String.format(Locale.ROOT, "%02d:%02d.%02d", minutes % 60, rest / 100, rest % 100);
    }
}
