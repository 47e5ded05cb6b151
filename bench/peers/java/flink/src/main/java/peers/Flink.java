package peers;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Tumbling window and key to count, sum, min, max, in Flink, exactly once. */
public final class Flink {
    public static void main(String[] args) throws Exception {
        Options o = new Options(args);
        boolean last = o.is("final"); // a latency run: no end, and nothing waits to fill
        long lateness = o.number("lateness-ms");

        Configuration c = new Configuration();
        c.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        c.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        c.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + o.text("state"));
        c.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(64));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, c);
        env.enableCheckpointing(o.number("commit-ms"));
        env.getConfig().enableObjectReuse();
        env.setBufferTimeout(last ? 1 : 100);

        KafkaSourceBuilder<Reading> source = KafkaSource.<Reading>builder()
                .setBootstrapServers(o.text("brokers"))
                .setTopics(o.text("input"))
                .setGroupId(o.text("group"))
                .setStartingOffsets(OffsetsInitializer.earliest())
                // The fetch sizes stay the client's own: with larger ones a partition runs
                // weeks ahead of the slowest, and the windows between are all open.
                .setProperty("max.poll.records", "2000")
                .setDeserializer(KafkaRecordDeserializationSchema.valueOnly(new Parser()));
        if (!last) {
            source.setBounded(OffsetsInitializer.latest());
        }

        Properties producer = new Properties();
        producer.put("transaction.timeout.ms", "600000");
        producer.put("compression.type", "lz4");
        producer.put("batch.size", Integer.toString(256 << 10));
        producer.put("linger.ms", last ? "0" : "20");
        String output = o.text("output");
        KafkaSink<Row> sink = KafkaSink.<Row>builder()
                .setBootstrapServers(o.text("brokers"))
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(o.text("group"))
                .setKafkaProducerConfig(producer)
                .setRecordSerializer((KafkaRecordSerializationSchema<Row>) (row, context, timestamp) ->
                        new ProducerRecord<>(output, row.key.getBytes(StandardCharsets.ISO_8859_1), row.cell.toJson(row.key, row.start)))
                .build();

        // A backlog has time for Flink's usual watermarks, five a second; a latency run has not.
        WatermarkStrategy<Reading> watermarks = last
                ? WatermarkStrategy.forGenerator(x -> new EachEvent(lateness))
                : WatermarkStrategy.forBoundedOutOfOrderness(Duration.ofMillis(lateness));
        DataStream<Reading> flights = env.fromSource(source.build(), watermarks.withTimestampAssigner((r, t) -> r.time), "flights");
        // At parallelism 1 every key is here already: as in Kafka Streams nothing
        // is repartitioned, so nothing is serialised between the source and the windows.
        DataStreamUtils.reinterpretAsKeyedStream(flights, r -> r.key, Types.STRING)
                .window(TumblingEventTimeWindows.of(Duration.ofMillis(o.number("window-ms"))))
                .aggregate(new Fold(), new ToRow())
                .sinkTo(sink);
        env.execute("flights");
    }

    /** An event; a POJO by Flink's rules, so that no Kryo is needed. */
    public static final class Reading {
        public String key;
        public long time; // ms
        public long value;
    }

    /** A final answer. */
    public static final class Row {
        public String key;
        public long start; // ms
        public Cell cell;
    }

    static final class Parser implements DeserializationSchema<Reading> {
        @Override
        public Reading deserialize(byte[] message) {
            throw new UnsupportedOperationException("the collector is used");
        }

        @Override
        public void deserialize(byte[] message, Collector<Reading> out) throws IOException {
            Event e = Event.parse(message);
            if (e.key != null) { // a punctuation is not for Flink
                Reading r = new Reading();
                r.key = e.key;
                r.time = Math.floorDiv(e.time, 1000);
                r.value = e.value;
                out.collect(r);
            }
        }

        @Override
        public boolean isEndOfStream(Reading next) {
            return false;
        }

        @Override
        public TypeInformation<Reading> getProducedType() {
            return TypeInformation.of(Reading.class);
        }
    }

    /** The largest time less the lateness, after each event that moves it, as the other engines do it. */
    static final class EachEvent implements WatermarkGenerator<Reading> {
        private final long lateness;
        private long max = Long.MIN_VALUE;

        EachEvent(long lateness) {
            this.lateness = lateness;
        }

        @Override
        public void onEvent(Reading event, long time, WatermarkOutput output) {
            if (time > max) {
                max = time;
                output.emitWatermark(new Watermark(max - lateness - 1));
            }
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }

    static final class Fold implements AggregateFunction<Reading, Cell, Cell> {
        @Override
        public Cell createAccumulator() {
            return new Cell();
        }

        @Override
        public Cell add(Reading r, Cell c) {
            return c.add(r.value);
        }

        @Override
        public Cell getResult(Cell c) {
            return c;
        }

        @Override
        public Cell merge(Cell a, Cell b) {
            return a.merge(b);
        }
    }

    static final class ToRow implements WindowFunction<Cell, Row, String, TimeWindow> {
        @Override
        public void apply(String key, TimeWindow window, Iterable<Cell> cells, Collector<Row> out) {
            Row row = new Row();
            row.key = key;
            row.start = window.getStart();
            row.cell = cells.iterator().next();
            out.collect(row);
        }
    }
}
