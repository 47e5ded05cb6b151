// What the batch paths call in the librdkafka that confluent-kafka-go brings
// along. The symbols are weak: they resolve to that library, without a second
// copy and without a linker flag, and where one is missing it is null, which
// batches_available() finds, so that the Go client's own calls are used instead.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_consumer_group_metadata_s rd_kafka_consumer_group_metadata_t;
typedef struct rd_kafka_error_s rd_kafka_error_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;

// The public layout of a message, fixed by the library's ABI.
typedef struct {
        int err;
        rd_kafka_topic_t *rkt;
        int32_t partition;
        void *payload;
        size_t len;
        void *key;
        size_t key_len;
        int64_t offset;
        void *private_;
} message;

enum {
        ERR_PARTITION_EOF = -191,
        ERR_QUEUE_FULL    = -184,
        MSG_F_COPY        = 2,
};

#define WEAK __attribute__((weak))

WEAK rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *, const char *topic, int32_t partition);
WEAK rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *);
WEAK void rd_kafka_queue_forward(rd_kafka_queue_t *from, rd_kafka_queue_t *to);
WEAK void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *, int fd, const void *payload, size_t size);
WEAK size_t rd_kafka_queue_length(rd_kafka_queue_t *);
WEAK void rd_kafka_queue_destroy(rd_kafka_queue_t *);
WEAK ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *, int timeout_ms, message **, size_t size);
WEAK int64_t rd_kafka_message_timestamp(const message *, int *type);
WEAK void rd_kafka_message_destroy(message *);

WEAK rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *, const char *topic, void *conf);
WEAK void rd_kafka_topic_destroy(rd_kafka_topic_t *);
WEAK int rd_kafka_flush(rd_kafka_t *, int timeout_ms);
WEAK int rd_kafka_produce_batch(rd_kafka_topic_t *, int32_t partition, int flags, message *, int count);

WEAK rd_kafka_error_t *rd_kafka_consumer_group_metadata_read(rd_kafka_consumer_group_metadata_t **, const void *, size_t size);
WEAK const char *rd_kafka_consumer_group_metadata_member_id(const rd_kafka_consumer_group_metadata_t *);
WEAK int32_t rd_kafka_consumer_group_metadata_generation_id(const rd_kafka_consumer_group_metadata_t *);
WEAK void rd_kafka_consumer_group_metadata_destroy(rd_kafka_consumer_group_metadata_t *);
WEAK void rd_kafka_error_destroy(rd_kafka_error_t *);

WEAK rd_kafka_conf_t *rd_kafka_conf_new(void);
WEAK void rd_kafka_conf_destroy(rd_kafka_conf_t *);
WEAK int rd_kafka_conf_set(rd_kafka_conf_t *, const char *name, const char *value, char *reason, size_t size);
WEAK void rd_kafka_conf_set_opaque(rd_kafka_conf_t *, void *);
WEAK void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *, void (*)(rd_kafka_t *, const message *, void *opaque));
WEAK void rd_kafka_conf_set_log_cb(rd_kafka_conf_t *, void (*)(const rd_kafka_t *, int level, const char *tag, const char *text));
WEAK rd_kafka_t *rd_kafka_new(int type, rd_kafka_conf_t *, char *reason, size_t size);
WEAK int rd_kafka_poll(rd_kafka_t *, int timeout_ms);
WEAK int rd_kafka_outq_len(rd_kafka_t *);
WEAK int rd_kafka_metadata(rd_kafka_t *, int all, rd_kafka_topic_t *, const void **answer, int timeout_ms);
WEAK void rd_kafka_metadata_destroy(const void *answer);
WEAK int rd_kafka_purge(rd_kafka_t *, int flags);
WEAK void rd_kafka_destroy(rd_kafka_t *);

// batches_available says whether the library has all of the above.
int batches_available(void);
