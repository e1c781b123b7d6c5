package satchel.ort;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** How many threads to compute with: the big physical cores that this process may use. */
final class Cores {
    private static final double BIG = 0.5; // of the largest core's capacity
    private static final int MOST_ON_PHONES = 4; // more than the big ones, or heat, slow a phone down

    private Cores() {}

    /** The threads that a session has where nobody says. */
    static int usual() {
        int big = big(new File("/sys/devices"), new File("/proc/self/status"));
        return Environment.onAndroid() ? Math.min(MOST_ON_PHONES, big) : big;
    }

    /**
     * Physical cores that this process may run on, without those made for saving power. All threads of an
     * operator wait for the slowest, so a little core among big ones slows them down.
     */
    static int big(File system, File status) {
        Set<Integer> allowed = listed(value(status, "Cpus_allowed_list:"));
        if (allowed.isEmpty()) { // not Linux: trust that half of many logical ones are siblings
            int logical = Runtime.getRuntime().availableProcessors();
            return logical <= 4 ? logical : logical / 2;
        }
        Set<String> cores = new HashSet<String>();
        for (Integer cpu : bigOf(system, allowed)) {
            String siblings =
                    text(new File(system, "system/cpu/cpu" + cpu + "/topology/thread_siblings_list"));
            cores.add(siblings.isEmpty() ? cpu.toString() : siblings);
        }
        return Math.max(1, cores.size());
    }

    /**
     * Whether this is an x86 processor whose kernels may overflow on uint8 x int8: without VNNI they add pairs
     * of products in 16 bits. The exact kernels take twice the time: only where Linux says that it is missing.
     */
    static boolean addIn16Bits() {
        String machine = System.getProperty("os.arch", "");
        if (!machine.equals("amd64") && !machine.equals("x86_64")) {
            return false;
        }
        String flags = value(new File("/proc/cpuinfo"), "flags");
        return !flags.isEmpty() && !flags.contains("vnni");
    }

    /** Of the allowed processors, the big ones as Linux tells them apart. */
    private static Set<Integer> bigOf(File system, Set<Integer> allowed) {
        Set<Integer> fast = listed(text(new File(system, "cpu_core/cpus"))); // Intel's hybrid processors
        fast.retainAll(allowed);
        if (!fast.isEmpty()) {
            return fast;
        }
        Map<Integer, Integer> capacities = new TreeMap<Integer, Integer>(); // Arm's
        int highest = 0;
        for (Integer cpu : allowed) {
            String capacity = text(new File(system, "system/cpu/cpu" + cpu + "/cpu_capacity"));
            if (!digits(capacity)) {
                return allowed;
            }
            capacities.put(cpu, Integer.valueOf(capacity));
            highest = Math.max(highest, capacities.get(cpu));
        }
        Set<Integer> big = new TreeSet<Integer>();
        for (Map.Entry<Integer, Integer> known : capacities.entrySet()) {
            if (known.getValue() >= BIG * highest) {
                big.add(known.getKey());
            }
        }
        return big;
    }

    /** The numbers of a list such as "0-3,8"; none where it is not one. */
    static Set<Integer> listed(String text) {
        Set<Integer> numbers = new TreeSet<Integer>();
        for (String part : text.split(",")) {
            if (part.isEmpty()) {
                continue;
            }
            int dash = part.indexOf('-');
            String first = dash < 0 ? part : part.substring(0, dash);
            String last = dash < 0 ? part : part.substring(dash + 1);
            if (!digits(first) || !digits(last)) {
                return new TreeSet<Integer>();
            }
            for (int number = Integer.parseInt(first); number <= Integer.parseInt(last); ++number) {
                numbers.add(number);
            }
        }
        return numbers;
    }

    private static boolean digits(String text) {
        for (int i = 0; i < text.length(); ++i) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return false;
            }
        }
        return !text.isEmpty() && text.length() < 8;
    }

    /** What stands behind a name at the beginning of a line; nothing where there is no such line. */
    private static String value(File file, String name) {
        try {
            BufferedReader lines = reader(file);
            try {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.startsWith(name)) {
                        return line.substring(name.length()).trim();
                    }
                }
            } finally {
                lines.close();
            }
        } catch (IOException error) {
            return "";
        }
        return "";
    }

    private static String text(File file) {
        try {
            BufferedReader lines = reader(file);
            try {
                String line = lines.readLine();
                return line == null ? "" : line.trim();
            } finally {
                lines.close();
            }
        } catch (IOException error) {
            return "";
        }
    }

    private static BufferedReader reader(File file) throws IOException {
        return new BufferedReader(new InputStreamReader(new FileInputStream(file), Charset.forName("US-ASCII")));
    }
}
