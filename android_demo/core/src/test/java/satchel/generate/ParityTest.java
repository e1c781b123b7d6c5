package satchel.generate;

import static org.junit.Assert.assertTrue;

import java.io.IOException;
import org.junit.Test;

/** Cases that the Python runtime answered. */
public final class ParityTest {
    @Test
    public void idsScoresAndErrorsAreThoseOfPython() throws IOException {
        Parity parity = new Parity();
        parity.read(getClass().getResourceAsStream("cases.jsonl"));
        assertTrue(parity.summary() + "\n" + parity.wrong, parity.wrong.isEmpty());
        assertTrue(parity.summary(), parity.counts.size() == 7 && parity.counts.get("beam")[0] >= 20);
    }
}
