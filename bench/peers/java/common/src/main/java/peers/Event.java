package peers;

import java.nio.charset.StandardCharsets;

/**
 * One message of the input, read by hand from its JSON: the fixed shape that the
 * generator writes, in one pass and with one allocation, the key. A library
 * would cost the engines more, and the comparison is of engines.
 */
public final class Event {
    public String key; // null: a punctuation
    public long time; // event time, µs
    public long value;

    public static Event parse(byte[] b) {
        Event e = new Event();
        int i = 1;
        while (i < b.length && b[i] == '"') {
            int name = i + 1;
            i = quote(b, name);
            char first = (char) b[name], last = (char) b[i - 1];
            i += 2; // the quote and the colon
            if (b[i] == '"') {
                int from = i + 1;
                i = quote(b, from);
                if (first == 'k') { // key
                    e.key = new String(b, from, i - from, StandardCharsets.ISO_8859_1);
                }
                i++;
            } else {
                boolean negative = b[i] == '-';
                if (negative) {
                    i++;
                }
                long v = 0;
                for (; b[i] >= '0' && b[i] <= '9'; i++) {
                    v = v * 10 + (b[i] - '0');
                }
                if (negative) {
                    v = -v;
                }
                if (first == 'e') { // event_time
                    e.time = v;
                } else if (first == 'v' && last == 'e') { // value
                    e.value = v;
                }
            }
            i++; // the comma or the brace
        }
        return e;
    }

    private static int quote(byte[] b, int i) {
        while (b[i] != '"') {
            i++;
        }
        return i;
    }
}
