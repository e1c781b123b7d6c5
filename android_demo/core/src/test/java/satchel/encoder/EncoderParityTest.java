package satchel.encoder;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;
import satchel.Answer;
import satchel.Picture;
import satchel.Span;

/** What Python does with the same: spans, answers, pictures and random numbers. */
public class EncoderParityTest {
    private static final double CLOSE = 1e-12;

    @Test
    public void spansAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "spans")) {
            List<Span> found = Spans.merged((String) one.get("text"), Cases.ints(one.get("starts")),
                    Cases.ints(one.get("ends")), Cases.ints(one.get("words")), Cases.floats(one.get("scores")),
                    Cases.texts(one.get("names")));
            List<?> wanted = (List<?>) one.get("found");
            assertEquals(one.toString(), wanted.size(), found.size());
            for (int i = 0; i < wanted.size(); ++i) {
                List<?> span = (List<?>) wanted.get(i);
                assertEquals(one.toString(), span.get(0), found.get(i).label);
                assertEquals(one.toString(), span.get(1), found.get(i).text);
                assertEquals(one.toString(), span.get(2), (long) found.get(i).start);
                assertEquals(one.toString(), span.get(3), (long) found.get(i).end);
                assertEquals(((Number) span.get(4)).doubleValue(), found.get(i).score, CLOSE);
            }
        }
    }

    @Test
    public void answersAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "answers")) {
            List<Answer> found = Answers.best((String) one.get("text"), Cases.ints(one.get("starts")),
                    Cases.ints(one.get("ends")), Cases.floats(one.get("logits")), Cases.floats(one.get("none")),
                    Cases.whole(one, "longest"), Cases.whole(one, "top"));
            List<?> wanted = (List<?>) one.get("found");
            assertEquals(one.toString(), wanted.size(), found.size());
            for (int i = 0; i < wanted.size(); ++i) {
                List<?> answer = (List<?>) wanted.get(i);
                assertEquals(one.toString(), answer.get(0), found.get(i).text);
                assertEquals(one.toString(), answer.get(1), (long) found.get(i).start);
                assertEquals(one.toString(), answer.get(2), (long) found.get(i).end);
                assertEquals(((Number) answer.get(3)).doubleValue(), found.get(i).score, CLOSE);
                assertEquals(((Number) answer.get(4)).doubleValue(), found.get(i).noAnswer, CLOSE);
            }
        }
    }

    @Test
    public void picturesAreResizedToTheLastBit() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "resize")) {
            int[] size = Cases.ints(one.get("size"));
            byte[] found = Resize.resized(Cases.bytes(one.get("bytes")), size[0], size[1], size[2], size[3],
                    Filter.values()[Cases.whole(one, "filter")]);
            assertArrayEquals(one.toString(), Cases.bytes(one.get("found")), found);
        }
    }

    @Test
    public void pixelsAreThoseToTheLastBit() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "pixels")) {
            Map<String, Object> raw = new LinkedHashMap<String, Object>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) one.get("image")).entrySet()) {
                raw.put((String) entry.getKey(), entry.getValue());
            }
            int[] size = Cases.ints(one.get("size"));
            Picture picture = Picture.ofRgb(Cases.bytes(one.get("bytes")), size[1], size[0]);
            float[] found = new ImageFormat(raw).pixels(picture);
            assertArrayEquals(one.toString(), Cases.floats(one.get("found")), found, 0);
        }
    }

    @Test
    public void samplePicturesAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "pictures")) {
            int[] size = Cases.ints(one.get("size"));
            Picture[] found = SamplePictures.of(size[0], size[1], 2);
            for (int i = 0; i < 2; ++i) {
                byte[] wanted = Cases.bytes(((List<?>) one.get("found")).get(i));
                assertArrayEquals(wanted, ImageFormat.onWhite(found[i]));
            }
        }
    }

    @Test
    public void randomNumbersAreThose() throws IOException {
        List<?> wanted = (List<?>) Cases.of(getClass(), "numbers").get(0).get("found");
        SampleNumbers random = new SampleNumbers();
        int at = 0;
        for (int number : random.below(30522, 5)) {
            assertEquals(wanted.get(at++), (long) number);
        }
        for (int number : random.bytes(7)) {
            assertEquals(wanted.get(at++), (long) number);
        }
        assertEquals((Double) wanted.get(at++), random.uniform(2, 9), CLOSE);
        for (int i = 0; i < 4000; ++i) {
            double number = random.normal();
            if (i % 100 == 0) {
                assertEquals((Double) wanted.get(at++), number, CLOSE);
            }
        }
        assertEquals(wanted.size(), at);
    }
}
