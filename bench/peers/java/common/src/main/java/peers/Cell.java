package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** The aggregates of one window of one key; a POJO by Flink's rules. */
public final class Cell {
    public long count;
    public long sum;
    public long min = Long.MAX_VALUE;
    public long max = Long.MIN_VALUE;

    public Cell add(long value) {
        count++;
        sum += value;
        min = Math.min(min, value);
        max = Math.max(max, value);
        return this;
    }

    public Cell merge(Cell other) {
        count += other.count;
        sum += other.sum;
        min = Math.min(min, other.min);
        max = Math.max(max, other.max);
        return this;
    }

    /** The form in a store: 32 bytes. */
    public byte[] toBytes() {
        return ByteBuffer.allocate(32).putLong(count).putLong(sum).putLong(min).putLong(max).array();
    }

    public static Cell ofBytes(byte[] bytes) {
        ByteBuffer b = ByteBuffer.wrap(bytes);
        Cell c = new Cell();
        c.count = b.getLong();
        c.sum = b.getLong();
        c.min = b.getLong();
        c.max = b.getLong();
        return c;
    }

    /** The form on the results topic; start in ms, written in µs. */
    public byte[] toJson(String key, long start) {
        return new StringBuilder(128)
                .append("{\"key\":\"").append(key)
                .append("\",\"start\":").append(start * 1000)
                .append(",\"count\":").append(count)
                .append(",\"sum\":").append(sum)
                .append(",\"min\":").append(min)
                .append(",\"max\":").append(max)
                .append('}').toString().getBytes(StandardCharsets.ISO_8859_1);
    }
}
