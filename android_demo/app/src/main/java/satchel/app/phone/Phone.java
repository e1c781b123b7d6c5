package satchel.app.phone;

import android.content.Context;
import android.os.Build;
import android.os.PowerManager;
import java.util.LinkedHashMap;
import java.util.Map;

/** What is known of the phone. Nothing that tells one from another of its kind. */
public final class Phone {
    private static final String[] THERMAL = {"none", "light", "moderate", "severe", "critical", "emergency", "shutdown"};

    private Phone() {}

    /** Its processor. */
    public static String processor() {
        if (Build.VERSION.SDK_INT >= 31) {
            return Build.SOC_MANUFACTURER + " " + Build.SOC_MODEL;
        }
        return Build.HARDWARE;
    }

    /** For a report of a benchmark. */
    public static Map<String, Object> described() {
        Map<String, Object> device = new LinkedHashMap<String, Object>();
        device.put("model", Build.MANUFACTURER + " " + Build.MODEL);
        device.put("android", Build.VERSION.RELEASE);
        device.put("sdk", Build.VERSION.SDK_INT);
        device.put("abi", Build.SUPPORTED_ABIS[0]);
        device.put("cores", Runtime.getRuntime().availableProcessors());
        device.put("repeats_share_a_process", true);
        return device;
    }

    /** How hot the phone says it is: a hot phone is a slow phone. */
    public static String thermal(Context context) {
        PowerManager power = (PowerManager) context.getSystemService(Context.POWER_SERVICE);
        if (Build.VERSION.SDK_INT < 29 || power == null) {
            return "unknown";
        }
        int status = power.getCurrentThermalStatus();
        return status >= 0 && status < THERMAL.length ? THERMAL[status] : "unknown";
    }
}
