package peers;

import java.util.HashMap;
import java.util.Map;

/** The command line: -name=value, the same for every engine. */
public final class Options {
    private final Map<String, String> values = new HashMap<>();

    public Options(String[] args) {
        for (String arg : args) {
            int equals = arg.indexOf('=');
            if (!arg.startsWith("-") || equals < 0) {
                throw new IllegalArgumentException("cannot read \"" + arg + "\": it must be -name=value");
            }
            values.put(arg.substring(1, equals), arg.substring(equals + 1));
        }
    }

    public String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("-" + name + " is missing");
        }
        return value;
    }

    public long number(String name) {
        return Long.parseLong(text(name));
    }

    public boolean is(String name) {
        return Boolean.parseBoolean(text(name));
    }
}
