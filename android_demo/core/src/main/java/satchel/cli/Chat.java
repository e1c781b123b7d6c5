package satchel.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import satchel.Cancel;
import satchel.DecoderModel;
import satchel.Model;
import satchel.SatchelException;
import satchel.TextListener;
import satchel.generate.Generation;
import satchel.json.Numbers;
import satchel.text.Message;
import satchel.text.Whitespace;

/** `chat`: a conversation of several turns, on a terminal or from a pipe. */
final class Chat extends Verb {
    private static final String COMMANDS = "Ctrl-C stops an answer, /reset starts over, /quit or Ctrl-D leaves.";

    Chat() {
        super("chat", "a conversation of several turns",
                "satchel chat my-bundle",
                "satchel chat my-bundle --system \"Answer in one sentence.\" --temperature 0.7");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("--system", Argument.Takes.ONE, "a system message to begin with").shown("TEXT");
        arguments.add("--stop", Argument.Takes.SEVERAL, "end at these").shown("TEXT");
        OptionFlags.add(arguments, "chat");
    }

    @Override
    void run(Given given, Console console) {
        Model model = load(given);
        try {
            model.require("chat");
            Map<String, Object> settings = OptionFlags.withLength(given, "chat");
            if (given.has("stop")) {
                settings.put("stop", given.texts("stop"));
            }
            converse((DecoderModel) model, given.text("system"), settings, console);
        } finally {
            model.close();
        }
    }

    /** Reads lines and streams answers; the model keeps the conversation's cache between turns. */
    private static void converse(
            DecoderModel model, String system, Map<String, Object> settings, Console console) {
        boolean terminal = console.readsTerminal();
        if (terminal) {
            console.line(COMMANDS);
        }
        List<Message> opening = new ArrayList<Message>();
        if (system != null && !system.isEmpty()) {
            opening.add(Message.system(system));
        }
        List<Message> messages = new ArrayList<Message>(opening);
        while (true) {
            if (terminal) {
                console.print("> ");
                console.flush();
            }
            String line = line(console);
            String text = line == null ? "/quit" : Whitespace.stripped(line);
            if (text.equals("/quit")) {
                return;
            }
            if (text.equals("/reset")) {
                messages = new ArrayList<Message>(opening);
            } else if (!text.isEmpty()) {
                messages.add(Message.user(text));
                try {
                    messages.add(Message.assistant(answer(model, messages, settings, console)));
                } catch (SatchelException error) {
                    if (!terminal) {
                        throw error;
                    }
                    console.line("error[" + error.code + "]: " + error.getMessage() + "; /reset starts over");
                    messages.remove(messages.size() - 1);
                }
            }
        }
    }

    /** Streams the answer to some messages; its text, also where Ctrl-C cut it. */
    private static String answer(
            DecoderModel model, List<Message> messages, Map<String, Object> settings, final Console console) {
        final StringBuilder text = new StringBuilder();
        long began = System.nanoTime();
        Cancel cancel = new Cancel();
        Interrupt interrupt = Interrupt.stopping(cancel);
        Generation generation;
        try {
            generation = model.chatStream(messages, settings, cancel, new TextListener() {
                @Override
                public void piece(String piece) {
                    text.append(piece);
                    console.print(console.readable(piece));
                    console.flush();
                }
            });
        } finally {
            interrupt.end();
        }
        console.line("");
        if (console.isTerminal()) {
            double seconds = (System.nanoTime() - began) / 1e9;
            int count = generation.tokens.length;
            console.line("[" + count + " tokens, " + Numbers.fixed(count / seconds, 0) + "/s, "
                    + generation.finishReason + "]");
        }
        console.flush();
        return text.toString();
    }

    /** The next line of the input, null behind the last. */
    private static String line(Console console) {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        try {
            int next = console.in.read();
            if (next < 0) {
                return null;
            }
            for (; next >= 0 && next != '\n'; next = console.in.read()) {
                line.write(next);
            }
            return Console.UTF_8.newDecoder().decode(ByteBuffer.wrap(line.toByteArray())).toString();
        } catch (CharacterCodingException error) {
            throw SatchelException.usage("the message is not UTF-8", "PROMPT_ENCODING");
        } catch (IOException error) {
            throw SatchelException.storage("standard input: " + error.getMessage(), error);
        }
    }
}
