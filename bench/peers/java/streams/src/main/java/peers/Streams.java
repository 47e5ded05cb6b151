package peers;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** Tumbling window and key to count, sum, min, max, in Kafka Streams, exactly once. */
public final class Streams {
    public static void main(String[] args) throws Exception {
        Options o = new Options(args);
        boolean last = o.is("final");

        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, o.text("group"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, o.text("brokers"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, o.text("state"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, o.text("commit-ms"));
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, "1");
        // With the cache a commit writes each changed cell once, not once per event.
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.toString(256L << 20));
        p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), "10000");
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), Integer.toString(8 << 20));
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_BYTES_CONFIG), Integer.toString(64 << 20));
        p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), Integer.toString(256 << 10));
        p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), last ? "0" : "20");

        Duration window = Duration.ofMillis(o.number("window-ms"));
        Duration grace = Duration.ofMillis(o.number("lateness-ms"));
        Duration retention = window.plus(grace);
        Serde<Cell> cells = Serdes.serdeFrom(
                (topic, cell) -> cell == null ? null : cell.toBytes(),
                (topic, bytes) -> bytes == null ? null : Cell.ofBytes(bytes));
        Serde<Event> events = Serdes.serdeFrom(
                (topic, event) -> { throw new UnsupportedOperationException("events are only read"); },
                (topic, bytes) -> bytes == null ? null : Event.parse(bytes));

        StreamsBuilder b = new StreamsBuilder();
        KTable<Windowed<String>, Cell> table = b
                .stream(o.text("input"), Consumed.with(Serdes.String(), events).withTimestampExtractor(new EventTime()))
                .filter((key, event) -> event.key != null)
                .groupByKey(Grouped.with(Serdes.String(), events))
                .windowedBy(TimeWindows.ofSizeAndGrace(window, grace))
                .aggregate(Cell::new, (key, event, cell) -> cell.add(event.value),
                        Materialized.<String, Cell>as(o.text("store").equals("memory")
                                        ? Stores.inMemoryWindowStore("cells", retention, window, false)
                                        : Stores.persistentWindowStore("cells", retention, window, false))
                                .withKeySerde(Serdes.String()).withValueSerde(cells).withCachingEnabled());
        if (last) {
            table = table.suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("last"));
        }
        table.toStream()
                .map((key, cell) -> KeyValue.pair(key.key(), cell.toJson(key.key(), key.window().start())))
                .to(o.text("output"), Produced.with(Serdes.String(), Serdes.ByteArray()));

        CountDownLatch ended = new CountDownLatch(1);
        boolean[] failed = {false};
        KafkaStreams streams = new KafkaStreams(b.build(p), p);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            failed[0] = true;
            ended.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(30))));
        streams.start();
        ended.await(); // SIGTERM ends it
        Runtime.getRuntime().halt(failed[0] ? 1 : 0);
    }

    /** The event's own time; a punctuation has none and moves nothing. */
    static final class EventTime implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
            Event event = (Event) record.value();
            return event.key == null ? Math.max(partitionTime, 0) : Math.floorDiv(event.time, 1000);
        }
    }
}
