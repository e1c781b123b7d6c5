package satchel.app.phone;

import android.os.Debug;
import android.system.Os;
import android.system.OsConstants;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import satchel.app.measure.Memory;

/** What this process takes of the phone's memory. */
public final class PhoneMemory implements Memory {
    private final long page = Os.sysconf(OsConstants._SC_PAGESIZE); // 4 or 16 KB

    @Override
    public long resident() {
        byte[] text = new byte[128];
        try {
            InputStream stream = new FileInputStream("/proc/self/statm"); // size, resident, ... in pages
            try {
                return secondNumber(text, stream.read(text)) * page;
            } finally {
                stream.close();
            }
        } catch (IOException error) {
            return 0;
        }
    }

    @Override
    public long proportional() {
        Debug.MemoryInfo info = new Debug.MemoryInfo();
        Debug.getMemoryInfo(info);
        return info.getTotalPss() * 1024L;
    }

    private static long secondNumber(byte[] text, int length) {
        int at = 0;
        while (at < length && text[at] != ' ') {
            ++at;
        }
        long number = 0;
        for (++at; at < length && text[at] >= '0' && text[at] <= '9'; ++at) {
            number = 10 * number + (text[at] - '0');
        }
        return number;
    }
}
