package satchel.ort;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The default number of threads: big physical cores, as Linux describes them. */
public class CoresTest {
    @Rule
    public final TemporaryFolder place = new TemporaryFolder();

    private File status;

    @Before
    public void eightProcessors() throws IOException {
        write("status", "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7");
        status = new File(place.getRoot(), "status");
    }

    @Test
    public void nothingIsTold() {
        assertEquals(8, big());
    }

    @Test
    public void aPhoneOfOnePrimeThreeBigFourLittle() throws IOException {
        capacities(1024, 850, 850, 850, 300, 300, 300, 300);
        assertEquals(4, big());
    }

    @Test
    public void allAlike() throws IOException {
        capacities(1024, 1024, 1024, 1024, 1024, 1024, 1024, 1024);
        assertEquals(8, big());
    }

    @Test
    public void twoThreadsACore() throws IOException {
        siblings("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7");
        assertEquals(4, big());
    }

    @Test
    public void aHybridOfTwoCoresOfTwoThreadsAndFourLittle() throws IOException {
        write("cpu_core/cpus", "0-3");
        siblings("0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7");
        assertEquals(2, big());
    }

    @Test
    public void aListOfNonsense() throws IOException {
        write("cpu_core/cpus", "0-x");
        assertEquals(8, big());
    }

    @Test
    public void oneCapacityIsMissing() throws IOException {
        capacities(1024, 300);
        assertEquals(8, big());
    }

    @Test
    public void whereLinuxIsNotAtLeastOne() {
        assertTrue(Cores.big(place.getRoot(), new File(place.getRoot(), "none")) >= 1);
        assertTrue(Cores.usual() >= 1);
    }

    private int big() {
        return Cores.big(place.getRoot(), status);
    }

    private void capacities(int... values) throws IOException {
        for (int cpu = 0; cpu < values.length; ++cpu) {
            write("system/cpu/cpu" + cpu + "/cpu_capacity", String.valueOf(values[cpu]));
        }
    }

    private void siblings(String... lists) throws IOException {
        for (int cpu = 0; cpu < lists.length; ++cpu) {
            write("system/cpu/cpu" + cpu + "/topology/thread_siblings_list", lists[cpu]);
        }
    }

    private void write(String name, String text) throws IOException {
        File file = new File(place.getRoot(), name);
        assertTrue(file.getParentFile().isDirectory() || file.getParentFile().mkdirs());
        FileOutputStream out = new FileOutputStream(file);
        out.write((text + "\n").getBytes(Charset.forName("US-ASCII")));
        out.close();
    }
}
